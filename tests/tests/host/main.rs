//! The real host with real products and orders, on a broker and a database in memory: what must
//! hold whatever those two do, each at the moment that matters.

#![expect(
    clippy::unwrap_used,
    reason = "a test that is wrong about its own ground fails where it stands"
)]

mod bad_messages;
mod busy;
mod calls;
mod conformance;
mod coupons;
mod creations;
mod durability;
mod errand;
mod events;
mod following;
mod goods;
mod limits;
mod losses;
mod outside;
mod owners;
mod panics;
mod refused;
mod repeats;
mod resends;
mod residents;
mod seen;
mod shop;
mod shortages;
mod toy;
mod unknown;
mod waiting;
