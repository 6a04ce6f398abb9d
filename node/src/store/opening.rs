//! How the connection that writes is opened, its tables brought up to date.

use std::path::Path;

use sqlx::{ConnectOptions as _, Connection as _, PgConnection, migrate::Migrator};

use super::{
    StoreFault,
    database::{self, fault},
    lock::{self, FileLock},
    postgres,
    sqlite::Sqlite,
};

/// How long a writer that says nothing keeps its locks in PostgreSQL: a process that is stopped,
/// or cut off, loses them after this and another takes over.
const LEASE_MS: u32 = 10_000;

/// Opens a SQLite file under its lock; `None` where another process holds it.
pub(super) async fn sqlite(
    path: &Path,
    migrations: &Migrator,
) -> Result<Option<(Sqlite, FileLock)>, StoreFault> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| io_fault(folder, &e))?;
    }
    let Some(lock) = lock::take(path).map_err(|e| io_fault(path, &e))? else {
        return Ok(None);
    };
    let options = database::sqlite_options(path).create_if_missing(true);
    let mut connection = options.connect().await.map_err(fault)?;
    migrations
        .run_direct(None, &mut connection, false)
        .await
        .map_err(migration)?;
    connection.close().await.map_err(fault)?;
    Ok(Some((Sqlite::open(path)?, lock)))
}

/// Connects to PostgreSQL; the session ends by the server's own clock when it says nothing.
pub(super) async fn postgres(url: &str, name: &str) -> Result<PgConnection, StoreFault> {
    let options = database::postgres_options(url, name)?.options([
        ("idle_session_timeout", LEASE_MS),
        ("idle_in_transaction_session_timeout", LEASE_MS),
    ]);
    options.connect().await.map_err(fault)
}

/// Brings the tables of a PostgreSQL database up to date, however long its tables have become.
pub(super) async fn migrate(
    connection: &mut PgConnection,
    migrations: &Migrator,
) -> Result<(), StoreFault> {
    let no_limit = "SET statement_timeout = 0";
    postgres::run(connection, no_limit).await.map_err(fault)?;
    migrations
        .run_direct(None, connection, false)
        .await
        .map_err(migration)?;
    let as_before = "RESET statement_timeout";
    postgres::run(connection, as_before).await.map_err(fault)
}

fn migration(error: sqlx::migrate::MigrateError) -> StoreFault {
    match error {
        sqlx::migrate::MigrateError::Execute(error) => fault(error),
        other => {
            StoreFault::Misconfigured(format!("the tables cannot be brought up to date: {other}"))
        }
    }
}

fn io_fault(path: &std::path::Path, error: &std::io::Error) -> StoreFault {
    StoreFault::Unreachable(format!("{}: {error}", path.display()))
}
