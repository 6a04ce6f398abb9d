//! Orders: the saga that takes what was ordered or gives it all back, and its REST edge.
//!
//! Owns every rule of an order ([`order`]) and the plan of its steps (`plan.rs`); asks the others
//! only by message. Read next: [`order`] for what is decided, [`rest`] for what a client sees,
//! [`settings`] for how the service is put together.

mod code;
pub mod order;
mod plan;
pub mod rest;
pub mod settings;
pub mod shortages;
