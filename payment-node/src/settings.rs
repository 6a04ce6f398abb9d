//! What a payment-node is told, and the service that it makes of it.

use std::{sync::Arc, time::Duration};

use messages::Service as Name;
use node::{
    config::Common,
    host::{Host, Service, StartError, ms},
    store::{Database, DatabaseUrl, Migrations},
};

use crate::{
    Handler,
    gateway::{
        Gateway,
        portone::{self, PortOne},
        sandbox::Sandbox,
    },
    payment::Payment,
    rest::Payments,
};

static SQLITE: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/payment/sqlite");
static POSTGRES: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/payment/postgres");

/// Settings of the payments' service.
#[derive(Clone, Debug, clap::Args)]
#[group(id = "payment-settings")]
pub struct Settings {
    /// Database of the payments, sqlite:FILE or postgres://… [default: payment.db in the data folder]
    #[arg(
        long,
        env = "ONHAND_PAYMENT_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub payment_database_url: Option<DatabaseUrl>,
    /// Who takes the money
    #[arg(
        long,
        env = "ONHAND_PAYMENT_GATEWAY",
        value_enum,
        default_value_t,
        value_name = "NAME"
    )]
    pub payment_gateway: GatewayName,
    /// How many ms the gateway may take to answer before its answer counts as unknown
    #[arg(long, env = "ONHAND_PAYMENT_GATEWAY_WAIT_MS", default_value_t = 2_000, value_parser = ms(1))]
    pub payment_gateway_wait_ms: u64,
    /// For how many ms the gateway is looked through for what nobody is to pay: of an order that was
    /// given up, or paid twice
    #[arg(long, env = "ONHAND_PAYMENT_GRACE_MS", default_value_t = 600_000, value_parser = ms(0))]
    pub payment_grace_ms: u64,
    /// After how many ms the sandbox charges a card of the token `late`
    #[arg(long, env = "ONHAND_SANDBOX_LATE_MS", default_value_t = 8_000, value_parser = ms(0))]
    pub sandbox_late_ms: u64,
    /// Address of the PortOne API
    #[arg(
        long,
        env = "ONHAND_PORTONE_URL",
        default_value = "https://api.iamport.kr",
        value_name = "URL"
    )]
    pub portone_url: String,
    /// Key of the PortOne API
    #[arg(
        long,
        env = "ONHAND_PORTONE_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    pub portone_key: Option<Secret>,
    /// Secret of the PortOne API
    #[arg(
        long,
        env = "ONHAND_PORTONE_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub portone_secret: Option<Secret>,
}

/// Who takes the money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum GatewayName {
    /// Nobody: a gateway in the process that does what a card's token says
    #[default]
    Sandbox,
    /// Iamport, now `PortOne`, by version 1 of its REST API
    Portone,
}

/// A text that is shown nowhere.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The text, for whom it is meant.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The payments' service in this process, and what its calls need besides.
///
/// # Errors
/// Where the database's address cannot be used, or a gateway lacks its settings.
pub fn service(
    host: Host,
    common: &Common,
    settings: &Settings,
) -> Result<(Service<Payment>, Payments), StartError> {
    let url = common.database_url(settings.payment_database_url.as_ref(), Name::Payment);
    let migrations = Migrations {
        sqlite: &SQLITE,
        postgres: &POSTGRES,
    };
    let table = <Payment as node::entity::Entity>::TABLE;
    let database = Database::new(
        Name::Payment,
        table,
        url.clone(),
        migrations,
        common.partitions,
    )
    .map_err(|error| StartError(error.to_string()))?;
    let wait = Duration::from_millis(settings.payment_gateway_wait_ms);
    let (clock, ids) = (Arc::clone(&host.clock), Arc::clone(&host.ids));
    let (gateway, sandbox): (Arc<dyn Gateway>, _) = match settings.payment_gateway {
        GatewayName::Sandbox => {
            let late = Duration::from_millis(settings.sandbox_late_ms);
            let sandbox = Sandbox::new(database.clone(), &url, Arc::clone(&clock), ids, late)
                .map_err(|error| StartError(error.to_string()))?;
            (Arc::new(sandbox.clone()), Some(sandbox))
        }
        GatewayName::Portone => (Arc::new(portone(settings, Arc::clone(&clock), wait)?), None),
    };
    let payments = Payments {
        gateway: gateway.name(),
        sandbox,
    };
    let grace = Duration::from_millis(settings.payment_grace_ms);
    let handler = Handler::new(gateway, clock, wait, grace);
    let service = Service::new(host, database).calling(Arc::new(handler));
    Ok((service, payments))
}

fn portone(
    settings: &Settings,
    clock: Arc<dyn node::seams::Clock>,
    wait: Duration,
) -> Result<PortOne, StartError> {
    let missing = |what: &str| StartError(format!("the gateway portone needs {what}"));
    let account = portone::Account {
        url: settings.portone_url.clone(),
        key: settings
            .portone_key
            .clone()
            .ok_or_else(|| missing("ONHAND_PORTONE_KEY"))?,
        secret: settings
            .portone_secret
            .clone()
            .ok_or_else(|| missing("ONHAND_PORTONE_SECRET"))?,
    };
    PortOne::new(account, clock, wait).map_err(|error| StartError(error.to_string()))
}
