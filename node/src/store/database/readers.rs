//! The connections that read, side by side with the one that writes.

use sqlx::{
    AssertSqlSafe, ColumnIndex, Decode, Encode, Executor, IntoArguments, PgPool, Pool, SqlitePool,
    Type, database::HasStatementCache, postgres::PgPoolOptions, sqlite::SqlitePoolOptions,
};

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
        let wanted: Vec<Column> = wanted.iter().map(|kind| Column::new("", *kind)).collect();
        match self {
            Self::Sqlite(pool) => find(pool, sql, parameters, &wanted).await,
            Self::Postgres(pool) => find(pool, sql, parameters, &wanted).await,
        }
        .map_err(fault)
    }
}

async fn find<D>(
    pool: &Pool<D>,
    sql: String,
    parameters: &[Value],
    wanted: &[Column],
) -> Result<Vec<Vec<Value>>, sqlx::Error>
where
    D: sqlx::Database + HasStatementCache,
    D::Arguments: IntoArguments<D>,
    for<'c> &'c mut D::Connection: Executor<'c, Database = D>,
    usize: ColumnIndex<D::Row>,
    for<'r> Option<String>: Encode<'r, D> + Decode<'r, D> + Type<D>,
    for<'r> Option<i64>: Encode<'r, D> + Decode<'r, D> + Type<D>,
    for<'r> Option<bool>: Encode<'r, D> + Decode<'r, D> + Type<D>,
{
    let query = sqlx::query(AssertSqlSafe(sql));
    let query = parameters.iter().fold(query, |query, value| match value {
        Value::Text(text) => query.bind(text.clone()),
        Value::Integer(integer) => query.bind(*integer),
        Value::Boolean(truth) => query.bind(*truth),
    });
    let rows = query.fetch_all(pool).await?;
    rows.iter().map(|row| values(row, wanted)).collect()
}
