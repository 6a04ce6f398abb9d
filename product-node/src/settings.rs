//! What a product-node is told, and the service that it makes of it.

use messages::Service as Name;
use node::{
    config::Common,
    host::{Host, Service, StartError},
    store::{Database, DatabaseUrl, Migrations},
};

use crate::product::Product;

static SQLITE: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/product/sqlite");
static POSTGRES: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/product/postgres");

/// Settings of the products' service.
#[derive(Clone, Debug, clap::Args)]
#[group(id = "product-settings")]
pub struct Settings {
    /// Database of the products, sqlite:FILE or postgres://… [default: product.db in the data folder]
    #[arg(
        long,
        env = "ONHAND_PRODUCT_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub product_database_url: Option<DatabaseUrl>,
}

/// The products' service in this process.
///
/// # Errors
/// Where the database's address cannot be used.
pub fn service(
    host: Host,
    common: &Common,
    settings: &Settings,
) -> Result<Service<Product>, StartError> {
    let url = common.database_url(settings.product_database_url.as_ref(), Name::Product);
    let migrations = Migrations {
        sqlite: &SQLITE,
        postgres: &POSTGRES,
    };
    let table = <Product as node::entity::Entity>::TABLE;
    let database = Database::new(Name::Product, table, url, migrations, common.partitions)
        .map_err(|error| StartError(error.to_string()))?;
    Ok(Service::new(host, database))
}
