//! The host that every service of Onhand runs in.
#![allow(missing_docs)]
pub mod bus;
pub mod config;
pub mod edge;
pub mod entity;
pub mod events;
pub mod host;
pub mod outside;
pub mod process;
pub mod reservation;
pub mod seams;
pub mod store;
pub mod table;
pub mod telemetry;
