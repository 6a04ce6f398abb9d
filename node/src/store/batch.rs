//! What one commit of the journal writes, as statements: values in, no database.

use super::{
    Batch, Creation, LedgerRow, PositionWrite, StateWrite,
    connection::Statement,
    sql::{self, Dialect},
};
use crate::table::{Column, Row, Table, Value};

/// Everything that a batch writes, a statement a table; states first, so that a stale writer is
/// found out before it writes anything else.
pub(super) fn statements(dialect: Dialect, table: &Table, batch: &Batch) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut add = |columns: &[Column], rows, sql: &dyn Fn(&[Column], usize) -> String| {
        add(&mut statements, dialect, true, columns, rows, sql);
    };
    let insert = |table: &'static str, conflict: String| {
        move |columns: &[Column], places| dialect.insert(table, columns, places, &conflict)
    };
    let (fresh, known): (Vec<&StateWrite>, Vec<&StateWrite>) =
        batch.states.iter().partition(|s| s.expected == 0);
    let rows = fresh
        .iter()
        .map(|s| state_values(s, table, i64::from(s.partition.0)));
    add(
        &sql::insert_columns(table),
        rows.collect(),
        &insert(table.name, String::new()),
    );
    let rows = known.iter().map(|s| state_values(s, table, s.expected));
    add(&sql::update_columns(table), rows.collect(), &|_, places| {
        dialect.update_states(table, places)
    });
    if let Some(lines) = &table.lines {
        let columns = sql::line_columns(lines);
        let conflict = sql::upsert(&[lines.parent, lines.number], &columns);
        let rows = batch.states.iter().flat_map(line_values);
        add(&columns, rows.collect(), &insert(lines.name, conflict));
    }
    let rows = batch.ledger.iter().map(ledger_values);
    add(
        &sql::LEDGER,
        rows.collect(),
        &insert("ledger", String::new()),
    );
    let rows = batch.creations.iter().map(creation_values);
    add(
        &sql::REQUEST_KEY,
        rows.collect(),
        &insert("request_key", String::new()),
    );
    let rows = batch.positions.iter().map(position_values);
    let conflict = sql::upsert(&["mark", "partition"], &sql::POSITION);
    add(
        &sql::POSITION,
        rows.collect(),
        &insert("position", conflict),
    );
    statements
}

/// Adds what writes these rows, in statements of as many as one takes; `every` says whether each
/// row must change one.
pub(super) fn add(
    statements: &mut Vec<Statement>,
    dialect: Dialect,
    every: bool,
    columns: &[Column],
    mut rows: Vec<Vec<Value>>,
    sql: impl Fn(&[Column], usize) -> String,
) {
    while !rows.is_empty() {
        let behind = rows.split_off(dialect.chunk(rows.len()));
        let places = dialect.places(rows.len());
        statements.push(Statement {
            sql: sql(columns, places),
            columns: columns.to_vec(),
            values: places * columns.len(),
            every,
            rows: std::mem::replace(&mut rows, behind),
        });
    }
}

/// The id, a second column (the partition or the expected version), the version, then the rest.
fn state_values(state: &StateWrite, table: &Table, second: i64) -> Vec<Value> {
    let Row { values, .. } = &state.row;
    let mut row = Vec::with_capacity(values.len() + 4);
    row.extend([
        state.entity.as_str().into(),
        second.into(),
        state.version.into(),
    ]);
    if table.owing {
        row.push(state.owing.into());
    }
    row.extend_from_slice(values);
    row
}

fn line_values(state: &StateWrite) -> impl Iterator<Item = Vec<Value>> {
    state.row.lines.iter().map(|line| {
        let mut row = Vec::with_capacity(line.values.len() + 2);
        row.extend([state.entity.as_str().into(), line.number.into()]);
        row.extend_from_slice(&line.values);
        row
    })
}

fn ledger_values(row: &LedgerRow) -> Vec<Value> {
    vec![
        i64::from(row.partition.0).into(),
        row.number.into(),
        row.entity.as_str().into(),
        row.version.into(),
        row.origin.name().into(),
        row.request_id.as_str().into(),
        row.digest.map(messages::Digest::stored).into(),
        row.kind.clone().into(),
        row.order_id.clone().into(),
        row.amount.into(),
        row.balance.into(),
        row.body.clone().into(),
        row.at.into(),
    ]
}

fn creation_values(creation: &Creation) -> Vec<Value> {
    vec![
        creation.call.clone().into(),
        creation.key.clone().into(),
        creation.digest.stored().into(),
        creation.entity.as_str().into(),
        creation.at.into(),
    ]
}

fn position_values(write: &PositionWrite) -> Vec<Value> {
    vec![
        write.mark.name().into(),
        i64::from(write.partition.0).into(),
        write.position.stream.clone().into(),
        write.position.sequence.cast_signed().into(),
        write.position.at.into(),
        write.number.into(),
    ]
}
