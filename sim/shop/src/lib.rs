//! The whole of Onhand in one thread under a seed, with everything going wrong that can.
//!
//! Every service is the one that is shipped; broker, databases, clocks, chance and gateway are
//! simulated (see [`sim`]). A run is drawn from its seed ([`plan`]), carried out ([`run`]), and
//! compared with a second book that is kept by hand (`spec`) after every commit and every
//! message, and once more when all is at rest (`quiet`, `audit`).

mod asking;
mod audit;
mod bank;
mod collecting;
mod customer;
pub mod fault;
mod keeper;
pub mod many;
mod nodes;
mod paying;
pub mod plan;
mod quiet;
mod run;
mod shop;
pub mod shrink;
mod spec;
mod striking;
mod trace;

pub use run::{Outcome, run};
