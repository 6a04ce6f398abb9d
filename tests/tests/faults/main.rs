//! Real faults: what a process, a server or a disk does to Onhand, and that nothing is lost by it.
//!
//! Each test hurts a running system while clients order all that there is to order, lets it come
//! back, and asks the clients, the services and the audit whether they agree.

#![expect(
    clippy::unwrap_used,
    reason = "a test that is wrong about its own ground fails where it stands"
)]

mod disk;
mod failpoints;
mod gateway;
mod ground;
mod rolling;
mod servers;
