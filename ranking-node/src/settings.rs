//! What a ranking-node is told, and the reader of events that it makes of it.

use std::sync::Arc;

use node::{
    bus::Bus,
    config::Common,
    events::{Projection as _, Reading},
    host::StartError,
    seams::Clock,
    store::{DatabaseUrl, EventDatabase, Migrations},
};

use crate::{best::Best, sales::Sales};

static SQLITE: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/ranking/sqlite");
static POSTGRES: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/ranking/postgres");

/// What makes the tables.
pub const MIGRATIONS: Migrations = Migrations {
    sqlite: &SQLITE,
    postgres: &POSTGRES,
};

/// Settings of the ranking.
#[derive(Clone, Debug, clap::Args)]
#[group(id = "ranking-settings")]
pub struct Settings {
    /// Database of the ranking, sqlite:FILE or postgres://… [default: ranking.db in the data folder]
    #[arg(
        long,
        env = "ONHAND_RANKING_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub ranking_database_url: Option<DatabaseUrl>,
}

/// The reader of events that the ranking is made by, and what answers from it.
///
/// # Errors
/// Where the database's address cannot be used.
pub fn reading(
    bus: Arc<dyn Bus>,
    clock: Arc<dyn Clock>,
    common: &Common,
    settings: &Settings,
) -> Result<(Reading<Sales>, Best), StartError> {
    let url = common.database_url(settings.ranking_database_url.as_ref(), Sales::NAME);
    let database = EventDatabase::new(Sales::NAME, url, MIGRATIONS)
        .map_err(|error| StartError(error.to_string()))?;
    let best = Best::new(database.clone(), clock);
    let mirror = Arc::new(best.clone());
    let reading = Reading::new(bus, database, mirror, common.limits.reread_ms);
    Ok((reading, best))
}
