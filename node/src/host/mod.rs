//! The host: it runs the entities of one service in one process.
//!
//! A command's way: `reader` or `question` take it in; `intake` finds what is known of it and
//! hands it to its entity's `actor`, which decides; `journal` commits what was decided, many
//! decisions at once, and only then `publisher` lets answers go. `schedule` keeps what entities
//! owe, `lane` carries it, `teller` tells events from the ledger. `session` is one life of all
//! this: where anything fails it ends, and the next begins from the database. There is no other
//! recovery.

mod actor;
mod alarms;
mod answers;
mod asking;
mod calls;
mod creations;
mod dead;
mod debts;
mod failures;
mod fairness;
mod intake;
mod job;
mod journal;
mod lane;
mod ledger;
mod limits;
mod newcomers;
mod progress;
mod publisher;
mod question;
mod reader;
mod recovery;
mod residents;
mod schedule;
mod service;
mod session;
mod share;
mod spares;
mod teller;
mod telling;
mod turn;
mod watchers;

pub use self::{
    limits::{Limits, count, ms},
    question::{Ask, CreationKey, Target, Unavailable},
    service::{Host, Service, StartError},
};
