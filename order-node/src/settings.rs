//! What an order-node is told, and the service that it makes of it.

use std::time::Duration;

use messages::Service as Name;
use node::{
    config::Common,
    edge::AdmissionLimits,
    host::{Host, Service, StartError, count, ms},
    store::{Database, DatabaseUrl, Migrations},
};

use crate::order::Order;

static SQLITE: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/order/sqlite");
static POSTGRES: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/order/postgres");

/// Settings of the orders' service.
#[derive(Clone, Debug, clap::Args)]
#[group(id = "order-settings")]
pub struct Settings {
    /// Database of the orders, sqlite:FILE or postgres://… [default: order.db in the data folder]
    #[arg(
        long,
        env = "ONHAND_ORDER_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub order_database_url: Option<DatabaseUrl>,
    /// How many ms a request waits, in line and for its order to become final, before it is answered 202
    #[arg(long, env = "ONHAND_ORDER_WAIT_MS", default_value_t = 8_000, value_parser = ms(0))]
    pub order_wait_ms: u64,
    /// How many orders are placed at a time by this process; others wait in line, and are not written yet
    #[arg(long, env = "ONHAND_ORDERS_ADMITTED_MAX", default_value_t = 256, value_parser = count())]
    pub orders_admitted_max: usize,
    /// How many ms an order waits in line before it is answered 503
    #[arg(long, env = "ONHAND_ORDER_ADMISSION_WAIT_MS", default_value_t = 5_000, value_parser = ms(0))]
    pub order_admission_wait_ms: u64,
    /// After how many ms an order that waits for somebody else, such as a gateway, no longer counts among them
    #[arg(long, env = "ONHAND_ORDER_ADMITTED_MS", default_value_t = 250, value_parser = ms(1))]
    pub order_admitted_ms: u64,
    /// After how many ms an order that is not final gives up, and gives back what it took
    #[arg(long, env = "ONHAND_ORDER_DEADLINE_MS", default_value_t = 5_000, value_parser = ms(1))]
    pub order_deadline_ms: u64,
    /// How many ms an order waits for a payment that is made outside, and keeps what it took
    #[arg(long, env = "ONHAND_PAYMENT_DEADLINE_MS", default_value_t = 900_000, value_parser = ms(1))]
    pub payment_deadline_ms: u64,
}

impl Settings {
    /// How many orders are placed at a time, and how long others wait in line.
    pub const fn admission(&self) -> AdmissionLimits {
        AdmissionLimits {
            admitted_max: self.orders_admitted_max,
            counted: Duration::from_millis(self.order_admitted_ms),
            wait: Duration::from_millis(self.order_admission_wait_ms),
        }
    }

    /// [`Settings::order_wait_ms`] as a duration.
    pub const fn order_wait(&self) -> Duration {
        Duration::from_millis(self.order_wait_ms)
    }
}

/// The orders' service in this process.
///
/// # Errors
/// Where the database's address cannot be used.
pub fn service(
    host: Host,
    common: &Common,
    settings: &Settings,
) -> Result<Service<Order>, StartError> {
    let url = common.database_url(settings.order_database_url.as_ref(), Name::Order);
    let migrations = Migrations {
        sqlite: &SQLITE,
        postgres: &POSTGRES,
    };
    let table = <Order as node::entity::Entity>::TABLE;
    let database = Database::new(Name::Order, table, url, migrations, common.partitions)
        .map_err(|error| StartError(error.to_string()))?;
    Ok(Service::new(host, database))
}
