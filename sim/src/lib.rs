//! A world in memory for real hosts to run in: a broker, databases, machines, time and chance.
//!
//! It stands below the host's seams and knows no service. Everything runs on one thread and on
//! tokio's paused clock, so that a run under a seed is always the same, and whatever a broker, a
//! database or a machine may do to a host can be made to happen at the very moment that matters.
//! Read next: [`Stage`] for what a run starts from, [`Broker`], [`Disk`] and [`Machine`] for what
//! can be done to it.

mod access;
mod broker;
mod client;
mod connection;
mod disk;
mod gate;
mod life;
mod process;
mod seams;
mod stream;
mod tables;

pub use self::{
    access::Access,
    broker::{Broker, Fate},
    client::Client,
    disk::{Disk, Verdict},
    life::Life,
    process::{Machine, Process, Stage},
    seams::{Chance, MachineClock, SeededIds, VirtualClock},
    tables::{Kept, Tables},
};
