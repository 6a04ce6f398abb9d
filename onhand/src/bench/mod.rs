//! `onhand bench`: puts a load of orders on an Onhand over HTTP, checks every answer, measures it,
//! and checks the books afterwards.
//!
//! What is ordered: `args`. The load: `load` (clients), `pacing` (closed or open loop),
//! `connection` (one answer), `tally` (the counts). The server under load: `server`. The comparison
//! with a database transaction: `baseline`. What is printed: `figures`, `report`.
//! Invariant: a run whose answers, stock or audit are off never ends in success.

mod args;
mod baseline;
mod connection;
mod figures;
mod load;
mod machine;
mod pacing;
mod postgres;
mod progress;
mod report;
mod schedule;
mod server;
mod session;
mod shop;
mod stop;
mod tally;
mod target;

pub(crate) use args::Args;
pub(crate) use session::run;
