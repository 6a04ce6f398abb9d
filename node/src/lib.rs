//! The host that every service of Onhand runs in.
//!
//! Owns what all services share: actors, the journal, the stores, the broker and the HTTP edge;
//! knows no service. Invariant: nothing leaves before what it rests on is durable. Read next:
//! [`entity`] for what a service must say of itself, [`host`] for a command's way, [`program`] for
//! what a `main` is made of.

pub mod bus;
pub mod config;
pub mod edge;
pub mod entity;
pub mod events;
pub mod failpoint;
pub mod host;
pub mod outside;
pub mod process;
pub mod program;
pub mod reservation;
pub mod seams;
pub mod store;
pub mod table;
pub mod telemetry;
