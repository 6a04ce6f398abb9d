//! One connection, of either database: the few places where the two differ in how they are called.

use std::collections::VecDeque;

use futures::TryStreamExt as _;
use messages::Service;
use sqlx::{
    AssertSqlSafe, ColumnIndex, Connection as _, Decode, Either, Executor as _, PgConnection, Row,
    SqlSafeStr, SqliteConnection, Type,
};

use super::{
    StoreFault,
    database::fault,
    sql::{self, Dialect},
};
use crate::table::{Column, Kind, Value};

/// A statement on rows.
pub(super) struct Statement {
    /// Its text.
    pub(super) sql: String,
    /// What the rows hold.
    pub(super) columns: Vec<Column>,
    /// The rows.
    pub(super) rows: Vec<Vec<Value>>,
    /// How many values its text has places for.
    pub(super) values: usize,
    /// Whether it must change as many rows as it was given.
    pub(super) every: bool,
}

impl Statement {
    /// How many rows it must change, where that is fixed.
    fn wanted(&self) -> Option<usize> {
        self.every.then_some(self.rows.len())
    }
}

/// Why rows were not written.
pub(super) enum WriteError {
    /// The database said so.
    Database(sqlx::Error),
    /// Another number of rows than given was changed: they were not at the expected version.
    Stale {
        /// How many rows were given.
        given: usize,
        /// How many were changed.
        changed: u64,
    },
}

impl From<sqlx::Error> for WriteError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

fn all_changed(wanted: Option<usize>, changed: u64) -> Result<(), WriteError> {
    match wanted {
        Some(given) if changed != given as u64 => Err(WriteError::Stale { given, changed }),
        _ => Ok(()),
    }
}

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
    pub(super) async fn run(&mut self, sql: impl SqlSafeStr) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(c) => sqlx::query(sql).execute(c).await.map(drop),
            Self::Postgres(c) => sqlx::query(sql).execute(c).await.map(drop),
        }
    }

    /// Runs statements one after another, each on its rows, until one fails or changes another
    /// number of rows than it was given, where it must not.
    ///
    /// In SQLite they go to the database's thread in one piece: the way there and back costs more
    /// than what most of them do there.
    pub(super) async fn write(&mut self, statements: Vec<Statement>) -> Result<(), WriteError> {
        match self {
            Self::Sqlite(c) => {
                let texts: Vec<&str> = statements.iter().map(|s| &*s.sql).collect();
                let sql = AssertSqlSafe(texts.join(";"));
                let mut given: VecDeque<Option<usize>> =
                    statements.iter().map(Statement::wanted).collect();
                let query = statements
                    .into_iter()
                    .fold(sqlx::query(sql), |query, statement| {
                        bind_rows(query, statement.rows, statement.values)
                    });
                let mut results = c.fetch_many(query);
                while let Some(result) = results.try_next().await? {
                    if let Either::Left(done) = result {
                        all_changed(given.pop_front().flatten(), done.rows_affected())?;
                    }
                }
            }
            Self::Postgres(c) => {
                for statement in statements {
                    let wanted = statement.wanted();
                    let query = sqlx::query(AssertSqlSafe(statement.sql));
                    let query = bind_arrays(query, &statement.columns, &statement.rows);
                    let done = query.execute(&mut *c).await?;
                    all_changed(wanted, done.rows_affected())?;
                }
            }
        }
        Ok(())
    }

    /// Reads what a statement without parameters finds.
    pub(super) async fn read(
        &mut self,
        sql: &str,
        wanted: &[Column],
    ) -> Result<Vec<Vec<Value>>, StoreFault> {
        match self {
            Self::Sqlite(c) => read_sqlite(c, sql.to_owned(), &[], &[], wanted).await,
            Self::Postgres(c) => read_postgres(c, sql.to_owned(), &[], &[], wanted).await,
        }
        .map_err(fault)
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
    columns: &[Column],
    keys: &[Vec<Value>],
    wanted: &[Column],
) -> Result<Vec<Vec<Value>>, sqlx::Error> {
    let places = columns.len() * Dialect::Sqlite.places(keys.len());
    let rows = bind_rows(sqlx::query(AssertSqlSafe(sql)), keys.to_vec(), places)
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

/// Binds values one by one, as `VALUES (?, …)` wants them, and null to the places left over of
/// the `values` that there are.
fn bind_rows(
    mut query: sqlx::query::Query<'_, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>,
    rows: Vec<Vec<Value>>,
    values: usize,
) -> sqlx::query::Query<'_, sqlx::Sqlite, sqlx::sqlite::SqliteArguments> {
    let mut left = values;
    for value in rows.into_iter().flatten() {
        left -= 1;
        query = match value {
            Value::Text(text) => query.bind(text),
            Value::Integer(integer) => query.bind(integer),
            Value::Boolean(truth) => query.bind(truth),
        };
    }
    for _ in 0..left {
        query = query.bind(None::<i64>);
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
