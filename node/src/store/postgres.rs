//! How PostgreSQL is written to and read: a statement takes one array a column.

use messages::Service;
use sqlx::{
    AssertSqlSafe, PgConnection, Postgres, SqlSafeStr, postgres::PgArguments, query::Query,
};

use super::{
    CommitError,
    database::{fault, values},
    statement::{Field, Statement},
};
use crate::{
    failpoint::{self, Point},
    table::{Column, Kind, Value},
};

/// Writes statements in one transaction: all of them or nothing.
pub(super) async fn commit(
    connection: &mut PgConnection,
    statements: &[Statement<'_>],
) -> Result<(), CommitError> {
    run(connection, "BEGIN").await.map_err(unknown)?;
    match write(connection, statements).await {
        Ok(()) => {
            failpoint::reach(failpoint::PROCESS, Point::Written);
            run(connection, "COMMIT").await.map_err(commit_error)
        }
        Err(error) => {
            // The connection is useless where this fails, and nothing was committed.
            run(connection, "ROLLBACK").await.map_err(unknown)?;
            Err(error)
        }
    }
}

async fn write(
    connection: &mut PgConnection,
    statements: &[Statement<'_>],
) -> Result<(), CommitError> {
    for statement in statements {
        let query = sqlx::query(AssertSqlSafe(&*statement.sql));
        let query = bind_arrays(query, statement.columns, &statement.rows);
        let done = query.execute(&mut *connection).await;
        let changed = done.map_err(commit_error)?.rows_affected();
        let given = statement.rows.len();
        if statement.every && changed != given as u64 {
            return Err(CommitError::Stale(format!(
                "{changed} of {given} rows were at the expected version"
            )));
        }
    }
    Ok(())
}

/// Runs a statement that takes no rows.
pub(super) async fn run(
    connection: &mut PgConnection,
    sql: impl SqlSafeStr,
) -> Result<(), sqlx::Error> {
    sqlx::query(sql).execute(connection).await.map(drop)
}

/// Reads the rows that a statement finds for `keys`.
pub(super) async fn read(
    connection: &mut PgConnection,
    sql: String,
    columns: &[Column],
    keys: &[Vec<Value>],
    wanted: &[Column],
) -> Result<Vec<Vec<Value>>, sqlx::Error> {
    let keys: Vec<Vec<Field<'_>>> = keys
        .iter()
        .map(|key| key.iter().map(Field::from).collect())
        .collect();
    let query = bind_arrays(sqlx::query(AssertSqlSafe(sql)), columns, &keys);
    let rows = query.fetch_all(connection).await?;
    rows.iter().map(|row| values(row, wanted)).collect()
}

/// Binds one array a column, as `UNNEST` wants them.
fn bind_arrays<'q>(
    mut query: Query<'q, Postgres, PgArguments>,
    columns: &[Column],
    rows: &'q [Vec<Field<'_>>],
) -> Query<'q, Postgres, PgArguments> {
    for (n, column) in columns.iter().enumerate() {
        let fields = rows.iter().map(|row| &row[n]);
        query = match column.kind {
            Kind::Text => {
                let text = |field: &'q Field<'_>| match field {
                    Field::Text(text) => text.as_deref(),
                    _ => None,
                };
                query.bind(fields.map(text).collect::<Vec<_>>())
            }
            Kind::Integer => {
                let integer = |field: &Field<'_>| match field {
                    Field::Integer(integer) => *integer,
                    _ => None,
                };
                query.bind(fields.map(integer).collect::<Vec<_>>())
            }
            Kind::Boolean => {
                let truth = |field: &Field<'_>| match field {
                    Field::Boolean(truth) => *truth,
                    _ => None,
                };
                query.bind(fields.map(truth).collect::<Vec<_>>())
            }
        };
    }
    query
}

/// What a failed statement says of its commit.
fn commit_error(error: sqlx::Error) -> CommitError {
    // Data exception (22), integrity constraint violation (23): the rows themselves are at fault,
    // so that trying again is vain.
    let refused = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| code.starts_with("22") || code.starts_with("23"));
    if refused {
        CommitError::Refused(error.to_string())
    } else {
        unknown(error)
    }
}

fn unknown(error: sqlx::Error) -> CommitError {
    CommitError::Unknown(fault(error))
}

/// The first key of a service's advisory locks; the second is the partition.
pub(super) fn lock_class(service: Service) -> i32 {
    let hash = messages::digest::fnv1a(format!("onhand/{service}").as_bytes());
    i32::try_from(hash & 0x7fff_ffff).expect("31 bits fit")
}
