//! Where a database is, and how it is opened.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use sqlx::{
    postgres::PgConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use super::fault;
use crate::store::StoreFault;

/// How long a reader or the writer waits for a connection.
pub(in crate::store) const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// How many prepared statements a connection keeps: every chunk size of every statement.
const STATEMENTS_MAX: usize = 512;

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file.
    Sqlite(PathBuf),
    /// A server.
    Postgres(String),
}

/// A database address that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("a database is given as sqlite:FILE or postgres://USER:PASSWORD@HOST/NAME")]
pub struct DatabaseUrlError;

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            text.parse::<PgConnectOptions>()
                .map_err(|_| DatabaseUrlError)?;
            return Ok(Self::Postgres(text.to_owned()));
        }
        let path = text.strip_prefix("sqlite:").ok_or(DatabaseUrlError)?;
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() || path.contains(['?', '\0']) || path == ":memory:" {
            return Err(DatabaseUrlError);
        }
        Ok(Self::Sqlite(path.into()))
    }
}

impl fmt::Display for DatabaseUrl {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => {
                let options: PgConnectOptions = url.parse().map_err(|_| fmt::Error)?;
                write!(
                    f,
                    "postgres://{}@{}:{}/{}",
                    options.get_username(),
                    options.get_host(),
                    options.get_port(),
                    options.get_database().unwrap_or_default()
                )
            }
        }
    }
}

/// How the connection that writes to SQLite is set: a commit is on the disk before it is answered.
pub(in crate::store) const WRITER_PRAGMAS: [(&str, &str); 5] = [
    ("journal_mode", "wal"),
    ("synchronous", "full"),
    ("temp_store", "memory"),
    // In KiB. Small, since a commit that splits pages of an index looks through the whole cache at its
    // end: SQLite gives a page a number beyond the file for a moment there, and then drops what is
    // behind the file's end.
    ("cache_size", "-4096"),
    // In pages: a checkpoint writes to the database's file and stops the commits meanwhile.
    ("wal_autocheckpoint", "4000"),
];

/// How SQLite is opened for reading, and for bringing its tables up to date.
pub(in crate::store) fn sqlite_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(CONNECT_WAIT)
        .statement_cache_capacity(STATEMENTS_MAX)
        .pragma("temp_store", "memory")
        .pragma("cache_size", "-16384")
}

/// How PostgreSQL plans: every statement of ours finds its rows by an index. Left to itself it reads
/// whole tables where it has not counted them yet, and keeps that plan while they grow.
const PLANS: [(&str, &str); 4] = [
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    // A table that is read whole all the same counts as dear enough to be compiled for.
    ("jit", "off"),
];

/// How PostgreSQL is reached: a peer that is gone is noticed within seconds.
pub(in crate::store) fn postgres_options(
    url: &str,
    name: &str,
) -> Result<PgConnectOptions, StoreFault> {
    let options: PgConnectOptions = url.parse().map_err(fault)?;
    Ok(options
        .application_name(&format!("{name}-node/{}", std::process::id()))
        .statement_cache_capacity(STATEMENTS_MAX)
        .options([
            ("tcp_keepalives_idle", "5"),
            ("tcp_keepalives_interval", "2"),
            ("tcp_keepalives_count", "3"),
            ("statement_timeout", "30000"),
        ])
        .options(PLANS))
}
