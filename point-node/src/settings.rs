//! What a point-node is told, and the service that it makes of it.

use messages::Service as Name;
use node::{
    config::Common,
    host::{Host, Service, StartError},
    store::{Database, DatabaseUrl, Migrations},
};

use crate::wallet::Wallet;

static SQLITE: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/point/sqlite");
static POSTGRES: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/point/postgres");

/// Settings of the points' service.
#[derive(Clone, Debug, clap::Args)]
#[group(id = "point-settings")]
pub struct Settings {
    /// Database of the wallets, sqlite:FILE or postgres://… [default: point.db in the data folder]
    #[arg(
        long,
        env = "ONHAND_POINT_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub point_database_url: Option<DatabaseUrl>,
}

/// The points' service in this process.
///
/// # Errors
/// Where the database's address cannot be used.
pub fn service(
    host: Host,
    common: &Common,
    settings: &Settings,
) -> Result<Service<Wallet>, StartError> {
    let url = common.database_url(settings.point_database_url.as_ref(), Name::Point);
    let migrations = Migrations {
        sqlite: &SQLITE,
        postgres: &POSTGRES,
    };
    let table = <Wallet as node::entity::Entity>::TABLE;
    let database = Database::new(Name::Point, table, url, migrations, common.partitions)
        .map_err(|error| StartError(error.to_string()))?;
    Ok(Service::new(host, database))
}
