//! The wire contract of Onhand: every word that one service says to another.
//!
//! Owns ids, money, time, subjects, the envelope and the bodies it carries; knows serde and does
//! no IO. Invariant: a change here is additive, and the golden bytes in `tests/` prove it.
//! Read next: [`envelope`] for the shape on the wire, [`subject`] for where it travels.

pub mod amount;
pub mod coupon;
pub mod digest;
pub mod envelope;
pub mod event;
pub mod id;
pub mod order;
pub mod payment;
pub mod point;
pub mod product;
mod raw;
pub mod refusal;
pub mod subject;
mod text;
pub mod time;
pub mod wire;

pub use amount::{Money, Quantity};
pub use digest::Digest;
pub use envelope::{Body, Envelope, Origin};
pub use event::Event;
pub use id::{CouponId, EntityId, OrderId, ProductId, RequestId, UserId};
pub use refusal::Refusal;
pub use subject::{Partition, Service, Subject};
pub use time::Timestamp;
pub use wire::DecodeError;
