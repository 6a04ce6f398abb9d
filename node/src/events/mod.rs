//! Events, read: a service without entities, which makes something of what others tell.
//!
//! [`Follower`] reads the stream in order and survives the broker; [`Seen`] knows which events were
//! had; [`Reading`] commits what a [`Projection`] makes of them, with their ids and the position
//! behind them, and then tells a [`Mirror`]. Invariant: whatever the broker tells twice, or late, every event counts once. The
//! tables are in `crate::store::events`.

mod follower;
mod mirror;
mod projection;
mod reading;
mod seen;
mod taking;

pub use self::{
    follower::{Follower, Place},
    mirror::Mirror,
    projection::Projection,
    reading::Reading,
    seen::{EventId, EventIdError, Seen, WINDOW},
};
