//! How rows are read: from SQLite, and from any row the values by the kinds of its columns.

use sqlx::{AssertSqlSafe, ColumnIndex, Decode, Row, SqliteConnection, Type};

use crate::{
    store::sql::Dialect,
    table::{Column, Kind, Value},
};

/// Reads the rows that a statement finds for `keys`, from SQLite.
pub(super) async fn read_sqlite(
    connection: &mut SqliteConnection,
    sql: String,
    columns: &[Column],
    keys: &[Vec<Value>],
    wanted: &[Column],
) -> Result<Vec<Vec<Value>>, sqlx::Error> {
    let places = columns.len() * Dialect::Sqlite.places(keys.len());
    let rows = bind_rows(sqlx::query(AssertSqlSafe(sql)), keys, places)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| values(row, wanted)).collect()
}

/// Binds values one by one, as `VALUES (?, …)` wants them, and null to the places left over of
/// the `values` that there are.
fn bind_rows<'q>(
    mut query: sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>,
    rows: &[Vec<Value>],
    values: usize,
) -> sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments> {
    let mut left = values;
    for value in rows.iter().flatten() {
        left -= 1;
        query = match value {
            Value::Text(text) => query.bind(text.clone()),
            Value::Integer(integer) => query.bind(*integer),
            Value::Boolean(truth) => query.bind(*truth),
        };
    }
    for _ in 0..left {
        query = query.bind(None::<i64>);
    }
    query
}

/// The values of a row, by the kinds of its columns.
pub(in crate::store) fn values<R>(row: &R, wanted: &[Column]) -> Result<Vec<Value>, sqlx::Error>
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
