//! The database of a reader of events: its own tables, and beside them what it has taken in.
//!
//! Invariants: one process writes, the one whose connection holds the lock; what a batch of events
//! makes of the tables is committed together with the ids of the events and the position behind
//! them, whole or not at all.

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
const SEEN: [Column; 2] = [Column::text("source"), Column::integer("number")];

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
        let seen = self.read("event_seen", &SEEN).await?;
        let position = self.read("event_position", &POSITION[1..]).await?;
        let seen: Result<Vec<SeenRow>, RowError> = seen
            .into_iter()
            .map(|row| {
                let mut row = Reader::new(row);
                Ok((row.text()?, row.integer()?))
            })
            .collect();
        let seen = seen.map_err(unreadable)?;
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
    let seen = dialect.insert("event_seen", &SEEN, "ON CONFLICT DO NOTHING");
    let rows = batch.seen.iter().map(seen_values).collect();
    statements.push(write(seen, &SEEN, rows));
    let position = sql::upsert(&["id"], &POSITION);
    let position = dialect.insert("event_position", &POSITION, &position);
    let rows = batch.position.iter().map(position_values).collect();
    statements.push(write(position, &POSITION, rows));
    let forget = match dialect {
        Dialect::Sqlite => "DELETE FROM event_seen WHERE source = ? AND number <= ?",
        Dialect::Postgres => {
            "DELETE FROM event_seen s USING UNNEST($1::text[], $2::bigint[]) AS f (source, number)
             WHERE s.source = f.source AND s.number <= f.number"
        }
    };
    let rows = batch.forget.iter().map(seen_values).collect();
    statements.push(write(forget.to_owned(), &SEEN, rows));
    statements.retain(|statement| !statement.rows.is_empty());
    statements
}

fn seen_values((source, number): &SeenRow) -> Vec<Field<'_>> {
    vec![source.as_str().into(), (*number).into()]
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
