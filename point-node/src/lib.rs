//! The points of users, and their REST edge.
//!
//! Owns every rule by which points move ([`wallet`]); knows no order but by the id it is given.
//! Read next: [`wallet`] for what is decided, [`rest`] for what a client sees, [`settings`] for
//! how the service is put together.

pub mod rest;
pub mod settings;
pub mod wallet;
