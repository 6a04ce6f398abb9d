//! Best sellers: a reader of what orders tell, and its REST edge.
//!
//! Owns no entity: everything in its database is made from events and can be made again from them.
//! Read next: [`sales`] for what an event counts, `window` for how the best are found in memory and
//! [`top`] in the database, [`best`] and [`rest`] for what a client sees, [`settings`] for how the
//! service is put together.

pub mod best;
pub mod day;
pub mod rest;
pub mod sales;
pub mod settings;
pub mod top;
mod window;
