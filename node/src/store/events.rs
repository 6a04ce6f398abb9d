//! The database of a reader of events: its own tables, and beside them what it has taken in.
//!
//! Invariants: one process writes, the one whose connection holds the lock; what a batch of events
//! makes of the tables is committed together with the ids of the events and the position behind
//! them, whole or not at all.

use messages::digest::fnv1a;
use sqlx::{ConnectOptions as _, Row as _};

use super::{
    CommitError, DatabaseUrl, Migrations, Position, Readers, StoreFault,
    connection::{self, Connection, Statement},
    database::{self, fault, unreadable},
    lock::{self, FileLock},
    sql::{self, Dialect},
    writer::{add, commit_error, io_fault, lease, migration, unknown, write_error},
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
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder).map_err(|e| io_fault(folder, &e))?;
                }
                let Some(lock) = lock::take(path).map_err(|e| io_fault(path, &e))? else {
                    return Ok(None);
                };
                let options = database::sqlite_options(path).create_if_missing(true);
                let mut connection = options.connect().await.map_err(fault)?;
                self.migrations
                    .sqlite
                    .run_direct(None, &mut connection, false)
                    .await
                    .map_err(migration)?;
                Ok(Some(EventWriter {
                    connection: Connection::Sqlite(connection),
                    _lock: Some(lock),
                }))
            }
            DatabaseUrl::Postgres(url) => {
                let options = database::postgres_options(url, self.name)?.options(lease());
                let mut connection = options.connect().await.map_err(fault)?;
                let taken = sqlx::query("SELECT pg_try_advisory_lock($1)")
                    .bind(lock_key(self.name))
                    .fetch_one(&mut connection)
                    .await
                    .and_then(|row| row.try_get::<bool, _>(0))
                    .map_err(fault)?;
                if !taken {
                    return Ok(None);
                }
                self.migrations
                    .postgres
                    .run_direct(None, &mut connection, false)
                    .await
                    .map_err(migration)?;
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
        let begin = match self.connection.dialect() {
            Dialect::Sqlite => "BEGIN IMMEDIATE",
            Dialect::Postgres => "BEGIN",
        };
        self.connection.run(begin).await.map_err(unknown)?;
        match self.write(batch).await {
            Ok(()) => self.connection.run("COMMIT").await.map_err(commit_error),
            Err(error) => {
                let undone = self.connection.run("ROLLBACK").await;
                // SQLite has done it already where it refused a row.
                if self.connection.dialect() == Dialect::Postgres {
                    undone.map_err(unknown)?;
                }
                Err(error)
            }
        }
    }

    /// Makes sure that this is still the one that writes, where that can be lost unnoticed.
    pub async fn confirm(&mut self) -> Result<(), StoreFault> {
        match self.connection.dialect() {
            Dialect::Sqlite => Ok(()),
            Dialect::Postgres => self.connection.run("SELECT 1").await.map_err(fault),
        }
    }

    /// Gives the lock back.
    pub async fn close(self) {
        self.connection.close().await;
    }

    async fn write(&mut self, batch: EventBatch) -> Result<(), CommitError> {
        let statements = statements(self.connection.dialect(), batch);
        self.connection.write(statements).await.map_err(write_error)
    }

    async fn read(
        &mut self,
        table: &str,
        columns: &[Column],
    ) -> Result<Vec<Vec<Value>>, StoreFault> {
        let statement = format!("SELECT {} FROM {table}", sql::names(columns));
        match &mut self.connection {
            Connection::Sqlite(c) => connection::read_sqlite(c, statement, &[], &[], columns).await,
            Connection::Postgres(c) => {
                connection::read_postgres(c, statement, &[], &[], columns).await
            }
        }
        .map_err(fault)
    }
}

/// Everything that a batch writes.
fn statements(dialect: Dialect, batch: EventBatch) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut insert = |table: &str, columns: &[Column], conflict: &str, rows| {
        add(
            &mut statements,
            dialect,
            columns,
            rows,
            |columns, places| dialect.insert(table, columns, places, conflict),
        );
    };
    for write in batch.writes {
        insert(write.table, write.columns, write.conflict, write.rows);
    }
    let seen = batch.seen.into_iter().map(seen_values).collect();
    insert("event_seen", &SEEN, "ON CONFLICT DO NOTHING", seen);
    let position = batch.position.into_iter().map(position_values).collect();
    let conflict = sql::upsert(&["id"], &POSITION);
    insert("event_position", &POSITION, &conflict, position);
    let forget = match dialect {
        Dialect::Sqlite => "DELETE FROM event_seen WHERE source = ? AND number <= ?",
        Dialect::Postgres => "DELETE FROM event_seen WHERE source = ANY($1) AND number <= ANY($2)",
    };
    statements.extend(batch.forget.into_iter().map(|source| Statement {
        sql: forget.to_owned(),
        columns: SEEN.to_vec(),
        rows: vec![seen_values(source)],
        values: SEEN.len(),
        every: false,
    }));
    // What is known already is left as it is, and what is forgotten was as many as it was.
    for statement in &mut statements {
        statement.every = false;
    }
    statements
}

fn seen_values((source, number): SeenRow) -> Vec<Value> {
    vec![source.into(), number.into()]
}

fn position_values(position: Position) -> Vec<Value> {
    vec![
        1.into(),
        position.stream.into(),
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
