//! The connections that read, side by side with the one that writes.

use sqlx::{PgPool, SqlitePool, postgres::PgPoolOptions, sqlite::SqlitePoolOptions};

use super::{
    address::{CONNECT_WAIT, DatabaseUrl, postgres_options, sqlite_options},
    fault,
    reading::values,
};
use crate::{
    store::StoreFault,
    table::{Column, Kind, Value},
};

/// How many connections read side by side.
const READERS_MAX: u32 = 8;

/// A pool of connections that read.
#[derive(Clone, Debug)]
pub enum Readers {
    /// SQLite.
    Sqlite(SqlitePool),
    /// PostgreSQL.
    Postgres(PgPool),
}

impl Readers {
    /// Names a pool; nothing is opened until it is used.
    pub(in crate::store) fn open(url: &DatabaseUrl, name: &str) -> Result<Self, StoreFault> {
        Ok(match url {
            DatabaseUrl::Sqlite(path) => Self::Sqlite(
                SqlitePoolOptions::new()
                    .max_connections(READERS_MAX)
                    .acquire_timeout(CONNECT_WAIT)
                    .connect_lazy_with(sqlite_options(path).read_only(true)),
            ),
            DatabaseUrl::Postgres(url) => Self::Postgres(
                PgPoolOptions::new()
                    .max_connections(READERS_MAX)
                    .acquire_timeout(CONNECT_WAIT)
                    .connect_lazy_with(postgres_options(url, name)?),
            ),
        })
    }

    /// Reads what a `SELECT` finds. Parameters are `$1`, `$2`…, which both databases understand.
    pub(in crate::store) async fn query(
        &self,
        sql: String,
        parameters: &[Value],
        wanted: &[Kind],
    ) -> Result<Vec<Vec<Value>>, StoreFault> {
        let wanted: Vec<Column> = wanted
            .iter()
            .map(|kind| Column {
                name: "",
                kind: *kind,
            })
            .collect();
        let sql = sqlx::AssertSqlSafe(sql);
        let result = match self {
            Self::Sqlite(pool) => {
                let query = parameters
                    .iter()
                    .fold(sqlx::query(sql), |query, value| match value {
                        Value::Text(text) => query.bind(text.clone()),
                        Value::Integer(integer) => query.bind(*integer),
                        Value::Boolean(truth) => query.bind(*truth),
                    });
                let rows = query.fetch_all(pool).await.map_err(fault)?;
                rows.iter()
                    .map(|row| values(row, &wanted))
                    .collect::<Result<Vec<_>, _>>()
            }
            Self::Postgres(pool) => {
                let query = parameters
                    .iter()
                    .fold(sqlx::query(sql), |query, value| match value {
                        Value::Text(text) => query.bind(text.clone()),
                        Value::Integer(integer) => query.bind(*integer),
                        Value::Boolean(truth) => query.bind(*truth),
                    });
                let rows = query.fetch_all(pool).await.map_err(fault)?;
                rows.iter()
                    .map(|row| values(row, &wanted))
                    .collect::<Result<Vec<_>, _>>()
            }
        };
        result.map_err(fault)
    }
}
