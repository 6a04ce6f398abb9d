//! `onhand bench`: puts a load of orders on an Onhand over HTTP, checks every answer, measures it,
//! and checks the books afterwards.
//!
//! What is ordered: `scenario`, `work`. The load: `load` (clients), `pacing` (closed or open loop),
//! `connection` (one answer), `tally` (the counts). The server under load: `server`. Comparisons:
//! `lines` (which), `table` and `sides` (in turns), `baseline` (a database alone), `service` (over
//! HTTP). What grows: `growth`; a restart: `restart`. What is printed: `figures`, `report`, `table`.
//! Invariant: a run whose answers, stock or audit are off never ends in success.

mod args;
mod baseline;
mod comparison;
mod connection;
mod crowd;
mod figures;
mod growth;
mod http;
mod labels;
mod lines;
mod load;
mod machine;
mod many;
mod pacing;
mod postgres;
mod progress;
mod redis;
mod report;
mod restart;
mod scenario;
mod schedule;
mod server;
mod service;
mod session;
mod shop;
mod sides;
mod slow_disk;
mod sold;
mod stop;
mod table;
mod tally;
mod target;
mod work;

pub(crate) use args::Args;
pub(crate) use session::run;
