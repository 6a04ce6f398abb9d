//! Coupons over HTTP: checks what comes in, asks the campaign, says what it answered.
//!
//! Decides nothing: every rule of a campaign stands in [`crate::campaign`]. Single campaigns are
//! asked for at their owner; lists are read from the database.

mod body;
mod campaign;
mod list;
mod user;

use node::host::Service;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::campaign::Campaign;

/// The calls of the coupon node.
pub fn router(service: Service<Campaign>) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(campaign::create, list::list))
        .routes(routes!(campaign::get))
        .routes(routes!(campaign::issue))
        .routes(routes!(user::coupons))
        .with_state(service)
}
