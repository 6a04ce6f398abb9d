//! Products and their stock, and their REST edge.
//!
//! Owns every rule by which stock moves ([`product`]); knows no order but by the id it is given.
//! Read next: [`product`] for what is decided, [`rest`] for what a client sees, [`settings`] for
//! how the service is put together.

pub mod product;
pub mod rest;
pub mod settings;
