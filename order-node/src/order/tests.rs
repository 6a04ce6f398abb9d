//! Given, when, then: what an order decides.

mod answers;
mod interleavings;
mod saga;
mod wishes;
