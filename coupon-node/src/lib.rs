//! Coupon campaigns, the coupons that they issue, and their REST edge.
//!
//! Owns who has which coupon and what uses it ([`campaign`]); knows no order but by the id it is
//! given. Read next: [`campaign`] for what is decided, [`rest`] for what a client sees,
//! [`settings`] for how the service is put together.

pub mod campaign;
pub mod rest;
pub mod settings;
