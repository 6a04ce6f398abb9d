//! What a coupon-node is told, and the service that it makes of it.

use messages::Service as Name;
use node::{
    config::Common,
    host::{Host, Service, StartError},
    store::{Database, DatabaseUrl, Migrations},
};

use crate::campaign::Campaign;

static SQLITE: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/coupon/sqlite");
static POSTGRES: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/coupon/postgres");

/// Settings of the coupons' service.
#[derive(Clone, Debug, clap::Args)]
#[group(id = "coupon-settings")]
pub struct Settings {
    /// Database of the coupons, sqlite:FILE or postgres://… [default: coupon.db in the data folder]
    #[arg(
        long,
        env = "ONHAND_COUPON_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub coupon_database_url: Option<DatabaseUrl>,
}

/// The coupons' service in this process.
///
/// # Errors
/// Where the database's address cannot be used.
pub fn service(
    host: Host,
    common: &Common,
    settings: &Settings,
) -> Result<Service<Campaign>, StartError> {
    let url = common.database_url(settings.coupon_database_url.as_ref(), Name::Coupon);
    let migrations = Migrations {
        sqlite: &SQLITE,
        postgres: &POSTGRES,
    };
    let table = <Campaign as node::entity::Entity>::TABLE;
    let database = Database::new(Name::Coupon, table, url, migrations, common.partitions)
        .map_err(|error| StartError(error.to_string()))?;
    Ok(Service::new(host, database))
}
