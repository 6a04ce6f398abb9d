//! Orders over HTTP: checks what comes in, asks the order, says what it answered.
//!
//! Decides nothing: every rule of an order stands in [`crate::order`]. Single orders are asked for
//! at their owner; lists and the history are read from the database.

mod admitted;
mod body;
mod customer;
mod events;
mod history;
mod list;
mod pay;
mod place;
mod view;

use std::{sync::Arc, time::Duration};

use node::{edge::Admission, host::Service};
use tokio::sync::Semaphore;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{order::Order, settings::Settings, shortages::Shortages};

/// How many clients may follow orders at once.
const FOLLOWERS_MAX: usize = 1024;

/// What the calls share.
#[derive(Clone)]
struct Orders {
    service: Service<Order>,
    /// How long a request waits for its order to come to rest.
    wait: Duration,
    /// After how many milliseconds an order gives up.
    deadline_ms: u64,
    /// How many milliseconds it waits for a payment that is made outside.
    payment_deadline_ms: u64,
    followers: Arc<Semaphore>,
    admission: Admission,
    shortages: Shortages,
}

/// The calls of the order node.
pub fn router(service: Service<Order>, settings: &Settings) -> OpenApiRouter {
    let orders = Orders {
        admission: Admission::new("POST /orders", settings.admission()),
        shortages: Shortages::new(service.clone()),
        service,
        wait: settings.order_wait(),
        deadline_ms: settings.order_deadline_ms,
        payment_deadline_ms: settings.payment_deadline_ms,
        followers: Arc::new(Semaphore::new(FOLLOWERS_MAX)),
    };
    OpenApiRouter::new()
        .routes(routes!(place::place, list::list))
        .routes(routes!(customer::get))
        .routes(routes!(customer::cancel))
        .routes(routes!(customer::retry))
        .routes(routes!(pay::pay))
        .routes(routes!(history::history))
        .routes(routes!(events::events))
        .with_state(orders)
}
