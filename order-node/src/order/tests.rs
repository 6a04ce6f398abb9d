//! Given, when, then: what an order decides.

mod answers;
mod cancels;
mod interleavings;
mod money;
mod outside;
mod participants;
mod rows;
mod saga;
mod wishes;
