//! A world in memory for real hosts to run in: a broker, databases, time and chance.
//!
//! It stands below the host's seams and knows no service. Everything runs on one thread and on
//! tokio's paused clock, so that a run under a seed is always the same, and whatever a broker or
//! a database may do to a host can be made to happen at the very moment that matters.
//! Read next: [`Stage`] for what a run starts from, [`Broker`] and [`Disk`] for what can be done.

mod access;
mod broker;
mod client;
mod disk;
mod process;
mod seams;
mod stream;
mod tables;

pub use self::{
    access::Access,
    broker::{Broker, Fate},
    client::Client,
    disk::{Disk, Verdict},
    process::{Process, Stage},
    seams::{SeededIds, VirtualClock},
    tables::{Kept, Tables},
};
