//! Products over HTTP: checks what comes in, asks the product, says what it answered.
//!
//! Decides nothing: every rule of a product stands in [`crate::product`]. Single products are
//! asked for at their owner; lists and the ledger are read from the database.

mod catalogue;
mod ledger;
mod product;
mod stock;

use node::host::Service;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::product::Product;

/// The calls of the product node.
pub fn router(service: Service<Product>) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(product::create, catalogue::list))
        .routes(routes!(product::get, product::edit, product::discontinue))
        .routes(routes!(stock::adjust))
        .routes(routes!(stock::decrease))
        .routes(routes!(stock::increase))
        .routes(routes!(ledger::ledger))
        .with_state(service)
}
