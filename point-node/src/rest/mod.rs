//! Points over HTTP: checks what comes in, asks the wallet, says what it answered.
//!
//! Decides nothing: every rule of a wallet stands in [`crate::wallet`]. A balance is asked for at
//! its owner; the ledger is read from the database.

mod ledger;
mod points;

use node::host::Service;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::wallet::Wallet;

/// The calls of the point node.
pub fn router(service: Service<Wallet>) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(points::get))
        .routes(routes!(points::charge))
        .routes(routes!(ledger::ledger))
        .with_state(service)
}
