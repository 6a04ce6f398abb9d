//! One connection, of either database: the few places where the two differ in how they are called.

use messages::Service;
use sqlx::{
    AssertSqlSafe, ColumnIndex, Connection as _, Decode, Executor as _, PgConnection, Row,
    SqliteConnection, Type,
};

use super::sql::{self, Dialect};
use crate::table::{Column, Kind, Value};

/// A connection to either database.
pub(super) enum Connection {
    /// To SQLite.
    Sqlite(SqliteConnection),
    /// To PostgreSQL.
    Postgres(PgConnection),
}

impl Connection {
    pub(super) const fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Runs a statement that takes no rows.
    pub(super) async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(c) => c.execute(sql).await.map(drop),
            Self::Postgres(c) => c.execute(sql).await.map(drop),
        }
    }

    /// Runs a statement on rows; answers how many rows it changed.
    pub(super) async fn write(
        &mut self,
        sql: String,
        columns: &[Column],
        rows: Vec<Vec<Value>>,
    ) -> Result<u64, sqlx::Error> {
        match self {
            Self::Sqlite(c) => bind_rows(sqlx::query(AssertSqlSafe(sql)), rows)
                .execute(c)
                .await
                .map(|r| r.rows_affected()),
            Self::Postgres(c) => bind_arrays(sqlx::query(AssertSqlSafe(sql)), columns, &rows)
                .execute(c)
                .await
                .map(|r| r.rows_affected()),
        }
    }

    pub(super) async fn close(self) {
        // The lock goes with the connection, closed politely or not.
        let _ = match self {
            Self::Sqlite(c) => c.close().await,
            Self::Postgres(c) => c.close().await,
        };
    }
}

/// Reads the rows that a statement finds for `keys`, from SQLite.
pub(super) async fn read_sqlite(
    connection: &mut SqliteConnection,
    sql: String,
    keys: &[Vec<Value>],
    wanted: &[Column],
) -> Result<Vec<Vec<Value>>, sqlx::Error> {
    let rows = bind_rows(sqlx::query(AssertSqlSafe(sql)), keys.to_vec())
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| values(row, wanted)).collect()
}

/// Reads the rows that a statement finds for `keys`, from PostgreSQL.
pub(super) async fn read_postgres(
    connection: &mut PgConnection,
    sql: String,
    columns: &[Column],
    keys: &[Vec<Value>],
    wanted: &[Column],
) -> Result<Vec<Vec<Value>>, sqlx::Error> {
    let query = bind_arrays(sqlx::query(AssertSqlSafe(sql)), columns, keys);
    let rows = query.fetch_all(connection).await?;
    rows.iter().map(|row| values(row, wanted)).collect()
}

/// Binds values one by one, as `VALUES (?, …)` wants them.
fn bind_rows(
    mut query: sqlx::query::Query<'_, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>,
    rows: Vec<Vec<Value>>,
) -> sqlx::query::Query<'_, sqlx::Sqlite, sqlx::sqlite::SqliteArguments> {
    for value in rows.into_iter().flatten() {
        query = match value {
            Value::Text(text) => query.bind(text),
            Value::Integer(integer) => query.bind(integer),
            Value::Boolean(truth) => query.bind(truth),
        };
    }
    query
}

/// Binds one array a column, as `UNNEST` wants them.
fn bind_arrays<'q>(
    mut query: sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>,
    columns: &[Column],
    rows: &[Vec<Value>],
) -> sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments> {
    for (column, values) in columns.iter().zip(sql::transpose(columns, rows)) {
        query = match column.kind {
            Kind::Text => query.bind(
                values
                    .into_iter()
                    .map(|v| if let Value::Text(t) = v { t } else { None })
                    .collect::<Vec<_>>(),
            ),
            Kind::Integer => query.bind(
                values
                    .into_iter()
                    .map(|v| if let Value::Integer(i) = v { i } else { None })
                    .collect::<Vec<_>>(),
            ),
            Kind::Boolean => query.bind(
                values
                    .into_iter()
                    .map(|v| if let Value::Boolean(b) = v { b } else { None })
                    .collect::<Vec<_>>(),
            ),
        };
    }
    query
}

/// The values of a row, by the kinds of its columns.
pub(super) fn values<R>(row: &R, wanted: &[Column]) -> Result<Vec<Value>, sqlx::Error>
where
    R: Row,
    usize: ColumnIndex<R>,
    for<'r> Option<String>: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Option<i64>: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Option<bool>: Decode<'r, R::Database> + Type<R::Database>,
{
    wanted
        .iter()
        .enumerate()
        .map(|(n, column)| {
            Ok(match column.kind {
                Kind::Text => Value::Text(row.try_get(n)?),
                Kind::Integer => Value::Integer(row.try_get(n)?),
                Kind::Boolean => Value::Boolean(row.try_get(n)?),
            })
        })
        .collect()
}

/// Whether the database says that the rows themselves are at fault, so that trying again is vain.
pub(super) fn refuses(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else {
        return false;
    };
    let Some(code) = error.code() else {
        return false;
    };
    match code.parse::<u32>() {
        // SQLite: constraint (19), mismatch (20), too big (18); the rest of the code is detail.
        Ok(number)
            if error
                .try_downcast_ref::<sqlx::sqlite::SqliteError>()
                .is_some() =>
        {
            matches!(number & 0xff, 18..=20)
        }
        // PostgreSQL: data exception (22), integrity constraint violation (23).
        _ => code.starts_with("22") || code.starts_with("23"),
    }
}

/// The first key of a service's advisory locks; the second is the partition.
pub(super) fn lock_class(service: Service) -> i32 {
    let hash = messages::digest::fnv1a(format!("onhand/{service}").as_bytes());
    i32::try_from(hash & 0x7fff_ffff).expect("31 bits fit")
}
