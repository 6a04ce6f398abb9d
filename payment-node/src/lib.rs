//! Payments of orders through a gateway, and their REST edge.
//!
//! Owns every rule by which money is taken and given back ([`payment`]), and who is asked for it
//! ([`gateway`]). Knows no order but by the id it is given. Read next: [`payment`] for what is
//! decided, [`gateway`] for what a gateway must promise, [`settings`] for how it is put together.

pub mod gateway;
mod handler;
pub mod payment;
pub mod rest;
pub mod settings;

pub use handler::Handler;
