//! One moment of one database: a read transaction, whose rows come one after another.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use futures::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use node::store::DatabaseUrl;
use node::table::{Kind, Reader, Value};
use sqlx::{
    AssertSqlSafe, ColumnIndex, Connection as _, Decode, Executor as _, PgConnection, Row,
    SqliteConnection, Type, postgres::PgConnectOptions, sqlite::SqliteConnectOptions,
};

/// How long a database may take to answer at all.
const CONNECT_WAIT: Duration = Duration::from_secs(10);

/// A read transaction. What is committed after it began is not seen in it.
pub(super) enum Snapshot {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// The rows of a statement, in its order.
pub(super) type Rows<'c> = BoxStream<'c, Result<Reader>>;

impl Snapshot {
    /// Begins, and makes sure that the tables are there: reading fixes the moment.
    pub(super) async fn open(url: &DatabaseUrl, tables: &[&str]) -> Result<Self> {
        let mut snapshot = tokio::time::timeout(CONNECT_WAIT, Self::begin(url))
            .await
            .map_err(|_| anyhow!("no answer within {} s", CONNECT_WAIT.as_secs()))??;
        for table in tables {
            let rows = snapshot.all(format!("SELECT 1 FROM {table} WHERE 1 = 0"), &[], &[]);
            rows.await
                .context("these are not the tables of this version of Onhand")?;
        }
        Ok(snapshot)
    }

    async fn begin(url: &DatabaseUrl) -> Result<Self> {
        Ok(match url {
            DatabaseUrl::Sqlite(path) => {
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .read_only(true)
                    .busy_timeout(CONNECT_WAIT);
                let mut connection = SqliteConnection::connect_with(&options).await?;
                connection.execute("BEGIN").await?;
                Self::Sqlite(connection)
            }
            DatabaseUrl::Postgres(url) => {
                let options: PgConnectOptions = url.parse()?;
                let options = options.application_name("onhand audit");
                let mut connection = PgConnection::connect_with(&options).await?;
                connection
                    .execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    .await?;
                Self::Postgres(connection)
            }
        })
    }

    /// What follows a text in `ORDER BY`, so that both databases sort it by its bytes.
    pub(super) const fn by_bytes(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "",
            Self::Postgres(_) => r#" COLLATE "C""#,
        }
    }

    /// Reads what a `SELECT` finds; parameters are `$1`, `$2`….
    pub(super) fn rows<'c>(
        &'c mut self,
        sql: String,
        parameters: &[String],
        wanted: &'static [Kind],
    ) -> Rows<'c> {
        let sql = AssertSqlSafe(sql);
        match self {
            Self::Sqlite(connection) => parameters
                .iter()
                .fold(sqlx::query(sql), |query, text| query.bind(text.clone()))
                .fetch(connection)
                .map(|row| values(&row?, wanted))
                .boxed(),
            Self::Postgres(connection) => parameters
                .iter()
                .fold(sqlx::query(sql), |query, text| query.bind(text.clone()))
                .fetch(connection)
                .map(|row| values(&row?, wanted))
                .boxed(),
        }
    }

    /// Reads what a `SELECT` finds, where that is little.
    pub(super) async fn all(
        &mut self,
        sql: String,
        parameters: &[String],
        wanted: &'static [Kind],
    ) -> Result<Vec<Reader>> {
        self.rows(sql, parameters, wanted).try_collect().await
    }

    pub(super) async fn close(self) {
        // Nothing was written, so that nothing is lost with a connection that does not close.
        let _ = match self {
            Self::Sqlite(connection) => connection.close().await,
            Self::Postgres(connection) => connection.close().await,
        };
    }
}

fn values<R>(row: &R, wanted: &[Kind]) -> Result<Reader>
where
    R: Row,
    usize: ColumnIndex<R>,
    for<'r> Option<String>: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Option<i64>: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Option<bool>: Decode<'r, R::Database> + Type<R::Database>,
{
    let values: Result<Vec<Value>, sqlx::Error> = wanted
        .iter()
        .enumerate()
        .map(|(n, kind)| {
            Ok(match kind {
                Kind::Text => Value::Text(row.try_get(n)?),
                Kind::Integer => Value::Integer(row.try_get(n)?),
                Kind::Boolean => Value::Boolean(row.try_get(n)?),
            })
        })
        .collect();
    Ok(Reader::new(values?))
}
