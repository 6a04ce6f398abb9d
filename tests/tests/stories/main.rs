//! The stories: what must hold, told on real servers and real processes.

#![expect(
    clippy::unwrap_used,
    reason = "a story that is wrong about its own ground fails where it stands"
)]

mod audit;
mod bad_input;
mod bad_messages;
mod catalogue;
mod coupons;
mod coupons_of_orders;
mod coupons_on_the_broker;
mod crashes;
mod events;
mod first_order;
mod fuzz;
mod gateway;
mod harness;
mod idempotency;
mod in_line;
mod on_the_broker;
mod operations;
mod paid_outside;
mod paying;
mod payments;
mod permissions;
mod points;
mod points_on_the_broker;
mod ranking;
mod selling_out;
mod takeover;
mod upgrades;
mod whole_by_hand;
mod whole_order;
