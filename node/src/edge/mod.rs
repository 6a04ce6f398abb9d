//! The HTTP edge that every node shares: what comes in is checked, what goes out has one form.
//!
//! Owns the error form, the extractors, what happens around every request, and the operations'
//! pages; knows no service. Invariant: no answer leaves in another form than documented, and no
//! internal detail leaves at all. Read next: [`Problem`] for the errors, [`around`] for what
//! happens to every request, [`App`] for how a node's routes become a server.

mod admission;
mod answer;
pub mod around;
mod body;
mod connections;
mod docs;
mod documented;
mod fault;
mod key;
mod ops;
mod page;
mod params;
mod problem;
mod server;
#[cfg(test)]
mod tests;
mod text;
mod trace;

pub use self::{
    admission::{Admission, AdmissionLimits, Place},
    answer::Answer,
    around::{Around, Limits},
    body::{Json, NoBody},
    docs::describe,
    documented::{Change, Create, Error, FirstCome, List, Read},
    key::{IdempotencyKey, RequiredKey},
    ops::{Missing, Ops},
    page::{After, CURSOR_ITEMS_MAX, Cursor, Page, SIZE_DEFAULT, SIZE_MAX, count, cut},
    params::{PathId, PathUser, Query},
    problem::Problem,
    server::{App, healthcheck, serve, write_address},
    text::check_line,
    trace::Trace,
};
