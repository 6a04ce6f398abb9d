//! The database of a reader of events: its own tables, and beside them what it has taken in.
//!
//! Invariants: one process writes, the one whose connection holds the lock; what a batch of events
//! makes of the tables is committed together with the ids of the events and the position behind
//! them, whole or not at all.

use std::collections::BTreeMap;

use messages::digest::fnv1a;
use sqlx::Row as _;

use super::{
    CommitError, DatabaseUrl, Migrations, Position, Readers, StoreFault,
    connection::Connection,
    database::{fault, unreadable},
    lock::FileLock,
    opening,
    sql::{self, Dialect},
    statement::{Field, Statement},
};
use crate::table::{Column, Kind, Reader, RowError, Value};

const POSITION: [Column; 4] = [
    Column::integer("id"),
    Column::text("stream"),
    Column::integer("sequence"),
    Column::text("at"),
];
/// Ids that were taken in: a row for a block of numbers of a source, a bit a number.
const SEEN: [Column; 3] = [
    Column::text("source"),
    Column::integer("block"),
    Column::integer("numbers"),
];
/// How many numbers a row of [`SEEN`] tells of.
const BLOCK: i64 = 64;

/// What a reader writes into one of its tables.
#[derive(Clone, Debug)]
pub struct Write {
    /// The table.
    pub table: &'static str,
    /// The columns of the rows.
    pub columns: &'static [Column],
    /// What becomes of a row that is there already: `ON CONFLICT …`, in words of both databases.
    pub conflict: &'static str,
    /// The rows, no two of the same key.
    pub rows: Vec<Vec<Value>>,
}

/// An event's source, and its number there.
pub type SeenRow = (String, i64);

/// Everything that one commit writes.
#[derive(Clone, Debug, Default)]
pub struct EventBatch {
    /// What the reader makes of the events.
    pub writes: Vec<Write>,
    /// The ids of the events.
    pub seen: Vec<SeenRow>,
    /// Up to which number of a source ids need not be kept any more.
    pub forget: Vec<SeenRow>,
    /// How far the stream is read.
    pub position: Option<Position>,
}

/// What a reader goes on from.
#[derive(Clone, Debug, Default)]
pub struct EventStanding {
    /// The ids that were taken in.
    pub seen: Vec<SeenRow>,
    /// How far the stream was read.
    pub position: Option<Position>,
}

/// The database of one reader of events.
#[derive(Clone, Debug)]
pub struct EventDatabase {
    name: &'static str,
    url: DatabaseUrl,
    migrations: Migrations,
    readers: Readers,
}

impl EventDatabase {
    /// Names a database; nothing is opened until it is used.
    pub fn new(
        name: &'static str,
        url: DatabaseUrl,
        migrations: Migrations,
    ) -> Result<Self, StoreFault> {
        let readers = Readers::open(&url, name)?;
        Ok(Self {
            name,
            url,
            migrations,
            readers,
        })
    }

    /// Reads what a `SELECT` finds. Parameters are `$1`, `$2`…, which both databases understand.
    pub async fn query(
        &self,
        sql: String,
        parameters: &[Value],
        wanted: &[Kind],
    ) -> Result<Vec<Vec<Value>>, StoreFault> {
        self.readers.query(sql, parameters, wanted).await
    }

    /// Connects the writer and brings the tables up to date; `None` where another process writes.
    pub async fn writer(&self) -> Result<Option<EventWriter>, StoreFault> {
        match &self.url {
            DatabaseUrl::Sqlite(path) => {
                let opened = opening::sqlite(path, self.migrations.sqlite).await?;
                Ok(opened.map(|(connection, lock)| EventWriter {
                    connection: Connection::Sqlite(connection),
                    _lock: Some(lock),
                }))
            }
            DatabaseUrl::Postgres(url) => {
                let mut connection = opening::postgres(url, self.name).await?;
                let taken = sqlx::query("SELECT pg_try_advisory_lock($1)")
                    .bind(lock_key(self.name))
                    .fetch_one(&mut connection)
                    .await
                    .and_then(|row| row.try_get::<bool, _>(0))
                    .map_err(fault)?;
                if !taken {
                    return Ok(None);
                }
                opening::migrate(&mut connection, self.migrations.postgres).await?;
                Ok(Some(EventWriter {
                    connection: Connection::Postgres(connection),
                    _lock: None,
                }))
            }
        }
    }
}

/// The one connection that writes; it holds the lock as long as it lives, and never reconnects.
pub struct EventWriter {
    connection: Connection,
    _lock: Option<FileLock>,
}

impl EventWriter {
    /// What was taken in so far.
    pub async fn standing(&mut self) -> Result<EventStanding, StoreFault> {
        let blocks = self.read("event_seen_block", &SEEN).await?;
        let position = self.read("event_position", &POSITION[1..]).await?;
        let mut seen = Vec::new();
        for row in blocks {
            let mut row = Reader::new(row);
            let source = row.text().map_err(unreadable)?;
            let block = row.integer().map_err(unreadable)?;
            let bits = row.integer().map_err(unreadable)?;
            seen.extend(numbers(block, bits).map(|number| (source.clone(), number)));
        }
        let position = position
            .into_iter()
            .next()
            .map(position_of)
            .transpose()
            .map_err(unreadable)?;
        Ok(EventStanding { seen, position })
    }

    /// Writes a batch, whole or not at all.
    pub async fn commit(&mut self, batch: EventBatch) -> Result<(), CommitError> {
        match &self.connection {
            // Not on a thread that others wait for.
            Connection::Sqlite(c) => {
                let connection = c.clone();
                tokio::task::spawn_blocking(move || {
                    connection.commit(&statements(Dialect::Sqlite, &batch))
                })
                .await
                .map_err(|error| StoreFault::Unreachable(error.to_string()))?
            }
            Connection::Postgres(_) => {
                let statements = statements(Dialect::Postgres, &batch);
                self.connection.commit(&statements).await
            }
        }
    }

    /// Makes sure that this is still the one that writes, where that can be lost unnoticed.
    pub async fn confirm(&mut self) -> Result<(), StoreFault> {
        self.connection.confirm().await
    }

    /// Gives the lock back.
    pub async fn close(self) {
        self.connection.close().await;
    }

    async fn read(
        &mut self,
        table: &str,
        columns: &[Column],
    ) -> Result<Vec<Vec<Value>>, StoreFault> {
        let statement = format!("SELECT {} FROM {table}", sql::names(columns));
        self.connection.read(&statement, columns).await
    }
}

/// Everything that a batch writes.
fn statements(dialect: Dialect, batch: &EventBatch) -> Vec<Statement<'_>> {
    let write = |sql: String, columns, rows| Statement {
        sql: sql.into(),
        columns,
        rows,
        // What is known already is left as it is, and what is forgotten was as many as it was.
        every: false,
    };
    let mut statements = Vec::new();
    for Write {
        table,
        columns,
        conflict,
        rows,
    } in &batch.writes
    {
        let rows = rows.iter().map(|row| row.iter().map(Field::from).collect());
        let sql = dialect.insert(table, columns, conflict);
        statements.push(write(sql, *columns, rows.collect()));
    }
    let seen = dialect.insert(
        "event_seen_block",
        &SEEN,
        // The others of a block were taken in before.
        "ON CONFLICT (source, block) DO UPDATE SET numbers = event_seen_block.numbers | excluded.numbers",
    );
    statements.push(write(seen, &SEEN, blocks(&batch.seen)));
    let position = sql::upsert(&["id"], &POSITION);
    let position = dialect.insert("event_position", &POSITION, &position);
    let rows = batch.position.iter().map(position_values).collect();
    statements.push(write(position, &POSITION, rows));
    let forget = match dialect {
        Dialect::Sqlite => "DELETE FROM event_seen_block WHERE source = ? AND block < ?",
        Dialect::Postgres => {
            "DELETE FROM event_seen_block s USING UNNEST($1::text[], $2::bigint[]) AS f (source, block)
             WHERE s.source = f.source AND s.block < f.block"
        }
    };
    let rows = batch.forget.iter().filter_map(|(source, number)| {
        let first = (number + 1) / BLOCK;
        (first > 0).then(|| vec![source.as_str().into(), first.into()])
    });
    statements.push(write(forget.to_owned(), &SEEN[..2], rows.collect()));
    statements.retain(|statement| !statement.rows.is_empty());
    statements
}

/// The rows that tell of ids.
fn blocks(ids: &[SeenRow]) -> Vec<Vec<Field<'_>>> {
    let mut blocks: BTreeMap<(&str, i64), i64> = BTreeMap::new();
    for (source, number) in ids {
        let block = blocks.entry((source, number / BLOCK)).or_default();
        *block |= 1 << (number % BLOCK);
    }
    let rows = blocks.into_iter();
    rows.map(|((source, block), bits)| vec![source.into(), block.into(), bits.into()])
        .collect()
}

/// The numbers that a row tells of.
fn numbers(block: i64, bits: i64) -> impl Iterator<Item = i64> {
    let numbers = (0..BLOCK).filter(move |bit| bits & (1 << bit) != 0);
    numbers.map(move |bit| block * BLOCK + bit)
}

fn position_values(position: &Position) -> Vec<Field<'_>> {
    vec![
        1.into(),
        position.stream.as_str().into(),
        position.sequence.cast_signed().into(),
        position.at.into(),
    ]
}

fn position_of(row: Vec<Value>) -> Result<Position, RowError> {
    let mut row = Reader::new(row);
    Ok(Position {
        stream: row.text()?,
        sequence: row.integer()?.cast_unsigned(),
        at: row.parsed()?,
    })
}

/// The key of a reader's advisory lock: one number, so that it meets none of the services' pairs.
fn lock_key(name: &str) -> i64 {
    fnv1a(format!("onhand/events/{name}").as_bytes()).cast_signed()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// The numbers that rows tell of, by source.
    fn told(rows: Vec<Vec<Field<'_>>>) -> BTreeSet<SeenRow> {
        let each = rows.into_iter().flat_map(|row| match &row[..] {
            [
                Field::Text(Some(source)),
                Field::Integer(Some(block)),
                Field::Integer(Some(bits)),
            ] => {
                let source = source.to_string();
                let of = move |number| (source.clone(), number);
                numbers(*block, *bits).map(of).collect::<Vec<_>>()
            }
            _ => panic!("no row of a block"),
        });
        each.collect()
    }

    #[test]
    fn numbers_of_one_block_share_a_row() {
        let ids = [
            ("order-3", 1),
            ("order-3", 63),
            ("order-3", 64),
            ("order-4", 1),
        ]
        .map(|(source, number)| (source.to_owned(), number));
        assert_eq!(blocks(&ids).len(), 3);
        assert_eq!(told(blocks(&ids)), ids.into());
    }

    proptest! {
        #[test]
        fn rows_tell_of_the_ids_that_they_were_made_of(
            ids in proptest::collection::vec(("order-[0-3]", 1..300_i64), 0..200),
        ) {
            prop_assert_eq!(told(blocks(&ids)), ids.into_iter().collect());
        }
    }
}
