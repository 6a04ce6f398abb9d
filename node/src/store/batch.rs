//! What one commit of the journal writes, as statements: values in, no database.

use super::{
    Batch, Creation, LedgerRow, PositionWrite, StateWrite,
    sql::{self, Dialect},
    statement::{Field, Statement},
};
use crate::table::{Changes, Column, Line, Row, Table};

/// The statements of a service's writer: their texts are the same for every batch.
pub(super) struct Statements {
    dialect: Dialect,
    table: Table,
    insert_state: Text,
    update_state: Text,
    update_seldom: Option<Text>,
    lines: Option<Text>,
    ledger: Text,
    request_key: Text,
    position: Text,
}

/// The text of a statement, and what the rows hold that it takes.
struct Text {
    sql: String,
    columns: Vec<Column>,
}

impl Text {
    fn insert(dialect: Dialect, table: &str, columns: Vec<Column>, conflict: &str) -> Self {
        Self {
            sql: dialect.insert(table, &columns, conflict),
            columns,
        }
    }

    fn on<'a>(&'a self, rows: Vec<Vec<Field<'a>>>) -> Statement<'a> {
        Statement {
            sql: self.sql.as_str().into(),
            columns: &self.columns,
            rows,
            every: true,
        }
    }
}

impl Statements {
    /// The statements that write a service's tables and the host's.
    pub(super) fn new(dialect: Dialect, table: &Table) -> Self {
        let lines = table.lines.map(|lines| {
            let columns = sql::line_columns(&lines);
            let conflict = sql::upsert(&[lines.parent, lines.number], &columns);
            Text::insert(dialect, lines.name, columns, &conflict)
        });
        let position = sql::upsert(&["mark", "partition"], &sql::POSITION);
        let update_seldom = dialect.update_seldom(table);
        Self {
            dialect,
            table: *table,
            insert_state: Text::insert(dialect, table.name, sql::insert_columns(table), ""),
            update_state: Text {
                sql: dialect.update_states(table),
                columns: dialect.update_columns(table),
            },
            update_seldom: update_seldom.map(|(sql, columns)| Text { sql, columns }),
            lines,
            ledger: Text::insert(dialect, "ledger", sql::LEDGER.to_vec(), ""),
            request_key: Text::insert(dialect, "request_key", sql::REQUEST_KEY.to_vec(), ""),
            position: Text::insert(dialect, "position", sql::POSITION.to_vec(), &position),
        }
    }

    /// Everything that a batch writes, a statement a table; states first, so that a stale writer
    /// is found out before it writes anything else.
    pub(super) fn of<'a>(&'a self, batch: &'a Batch) -> Vec<Statement<'a>> {
        let (fresh, known): (Vec<&StateWrite>, Vec<&StateWrite>) =
            batch.states.iter().partition(|s| s.expected == 0);
        let inserted = fresh
            .into_iter()
            .map(|s| self.state(s, i64::from(s.partition.0), |_| true));
        let set = |column: Column| self.dialect.updates(column);
        let updated = known.iter().map(|s| self.state(s, s.expected, set));
        let mut statements = vec![
            self.insert_state.on(inserted.collect()),
            self.update_state.on(updated.collect()),
        ];
        if let Some(seldom) = &self.update_seldom {
            statements.push(Statement {
                every: false,
                ..seldom.on(known.iter().map(|s| self.seldom(s)).collect())
            });
        }
        if let Some(lines) = &self.lines {
            statements.push(lines.on(batch.states.iter().flat_map(line_values).collect()));
        }
        statements.extend([
            self.ledger
                .on(batch.ledger.iter().map(ledger_values).collect()),
            self.request_key
                .on(batch.creations.iter().map(creation_values).collect()),
            self.position
                .on(batch.positions.iter().map(position_values).collect()),
        ]);
        statements.retain(|statement| !statement.rows.is_empty());
        statements
    }

    /// The id, a second column (the partition or the expected version), the version, then those of
    /// the others that are `written`.
    fn state<'a>(
        &self,
        state: &'a StateWrite,
        second: i64,
        written: impl Fn(Column) -> bool,
    ) -> Vec<Field<'a>> {
        let Row { values, .. } = &state.row;
        let mut row = Vec::with_capacity(values.len() + 4);
        row.extend([
            state.entity.as_str().into(),
            second.into(),
            state.version.into(),
        ]);
        if self.table.owing {
            row.push(state.owing.into());
        }
        row.extend(self.values(state, written));
        row
    }

    /// The id, then what seldom changes.
    fn seldom<'a>(&self, state: &'a StateWrite) -> Vec<Field<'a>> {
        let mut row = vec![state.entity.as_str().into()];
        row.extend(self.values(state, |column| column.changes == Changes::Seldom));
        row
    }

    /// The values of the service's own columns, as far as they are `wanted`.
    fn values<'a>(
        &self,
        state: &'a StateWrite,
        wanted: impl Fn(Column) -> bool,
    ) -> impl Iterator<Item = Field<'a>> {
        let columns = self.table.columns.iter().zip(&state.row.values);
        let wanted = columns.filter(move |(column, _)| wanted(**column));
        wanted.map(|(_, value)| value.into())
    }
}

fn line_values(state: &StateWrite) -> impl Iterator<Item = Vec<Field<'_>>> {
    state.row.lines.iter().map(|Line { number, values }| {
        let mut row = Vec::with_capacity(values.len() + 2);
        row.extend([state.entity.as_str().into(), (*number).into()]);
        row.extend(values.iter().map(Field::from));
        row
    })
}

fn ledger_values(row: &LedgerRow) -> Vec<Field<'_>> {
    vec![
        i64::from(row.partition.0).into(),
        row.number.into(),
        row.entity.as_str().into(),
        row.version.into(),
        row.origin.name().into(),
        row.request_id.as_str().into(),
        row.digest.map(messages::Digest::stored).into(),
        row.kind.as_str().into(),
        row.order_id.as_deref().into(),
        row.amount.into(),
        row.balance.into(),
        row.body.as_str().into(),
        row.at.into(),
    ]
}

fn creation_values(creation: &Creation) -> Vec<Field<'_>> {
    vec![
        creation.call.as_str().into(),
        creation.key.as_str().into(),
        creation.digest.stored().into(),
        creation.entity.as_str().into(),
        creation.at.into(),
    ]
}

fn position_values(write: &PositionWrite) -> Vec<Field<'_>> {
    vec![
        write.mark.name().into(),
        i64::from(write.partition.0).into(),
        write.position.stream.as_str().into(),
        write.position.sequence.cast_signed().into(),
        write.position.at.into(),
        write.number.into(),
    ]
}
