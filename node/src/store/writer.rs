//! The one connection that writes, and the lock that it holds.
//!
//! PostgreSQL: session advisory locks on this very connection, so that a process that lost its
//! lock has lost its connection and cannot commit. SQLite: a file lock held by the process.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use messages::{Partition, Service, Timestamp};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Row as _};

use super::{
    Batch, CommitError, Creation, LedgerRow, Mark, Position, PositionWrite, Standing, StateWrite,
    StoreFault, Writer,
    connection::{self, Connection, Statement, WriteError},
    database::{self, Database, DatabaseUrl, fault},
    lock::{self, FileLock},
    sql::{self, Dialect},
};
use crate::table::{Column, Row, Table, Value};

/// How long a writer that says nothing keeps its locks in PostgreSQL: a process that is stopped,
/// or cut off, loses them after this and another takes over.
const LEASE_MS: u32 = 10_000;

/// How a writer's session is told to end by the server's own clock.
pub(super) const fn lease() -> [(&'static str, u32); 2] {
    [
        ("idle_session_timeout", LEASE_MS),
        ("idle_in_transaction_session_timeout", LEASE_MS),
    ]
}

/// The second key of the lock that every process of a service shares, by which they are counted.
const MEMBERS: i32 = 1_000_000;

pub(super) struct SqlWriter {
    connection: Connection,
    table: Table,
    service: Service,
    owned: BTreeSet<Partition>,
    _lock: Option<FileLock>,
}

impl SqlWriter {
    /// Connects, brings the tables up to date, and checks the number of partitions.
    pub(super) async fn open(database: &Database) -> Result<Self, StoreFault> {
        let (mut connection, lock) = match &database.url {
            DatabaseUrl::Sqlite(path) => {
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder).map_err(|e| io_fault(folder, &e))?;
                }
                let Some(lock) = lock::take(path).map_err(|e| io_fault(path, &e))? else {
                    return Err(StoreFault::Unreachable(format!(
                        "{} is owned by another process",
                        path.display()
                    )));
                };
                let options = database::sqlite_options(path).create_if_missing(true);
                let mut connection = options.connect().await.map_err(fault)?;
                database
                    .migrations
                    .sqlite
                    .run_direct(None, &mut connection, false)
                    .await
                    .map_err(migration)?;
                (Connection::Sqlite(connection), Some(lock))
            }
            DatabaseUrl::Postgres(url) => {
                let options =
                    database::postgres_options(url, database.service.name())?.options(lease());
                let mut connection = options.connect().await.map_err(fault)?;
                database
                    .migrations
                    .postgres
                    .run_direct(None, &mut connection, false)
                    .await
                    .map_err(migration)?;
                sqlx::query("SELECT pg_advisory_lock_shared($1, $2)")
                    .bind(connection::lock_class(database.service))
                    .bind(MEMBERS)
                    .execute(&mut connection)
                    .await
                    .map_err(fault)?;
                (Connection::Postgres(connection), None)
            }
        };
        fix_partitions(&mut connection, database.partitions).await?;
        Ok(Self {
            connection,
            table: database.table,
            service: database.service,
            owned: BTreeSet::new(),
            _lock: lock,
        })
    }

    async fn write_batch(&mut self, batch: &Batch) -> Result<(), CommitError> {
        let statements = batch_writes(self.connection.dialect(), &self.table, batch);
        self.connection.write(statements).await.map_err(write_error)
    }
}

#[async_trait]
impl Writer for SqlWriter {
    async fn members(&mut self) -> Result<u16, StoreFault> {
        match &mut self.connection {
            Connection::Sqlite(_) => Ok(1),
            Connection::Postgres(c) => {
                let row = sqlx::query(
                    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid::bigint = $1 AND objid::bigint = $2
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                )
                .bind(i64::from(connection::lock_class(self.service)))
                .bind(i64::from(MEMBERS))
                .fetch_one(c)
                .await
                .map_err(fault)?;
                Ok(
                    u16::try_from(row.try_get::<i64, _>(0).map_err(fault)?.max(1))
                        .unwrap_or(u16::MAX),
                )
            }
        }
    }

    async fn claim(
        &mut self,
        partitions: u16,
        wanted: u16,
    ) -> Result<BTreeSet<Partition>, StoreFault> {
        for partition in (0..partitions).map(Partition) {
            if self.owned.len() >= usize::from(wanted) {
                break;
            }
            if self.owned.contains(&partition) {
                continue;
            }
            let taken = match &mut self.connection {
                Connection::Sqlite(_) => true,
                Connection::Postgres(c) => sqlx::query("SELECT pg_try_advisory_lock($1, $2)")
                    .bind(connection::lock_class(self.service))
                    .bind(i32::from(partition.0))
                    .fetch_one(c)
                    .await
                    .and_then(|row| row.try_get::<bool, _>(0))
                    .map_err(fault)?,
            };
            if taken {
                self.owned.insert(partition);
            }
        }
        Ok(self.owned.clone())
    }

    async fn release(&mut self, partitions: &BTreeSet<Partition>) -> Result<(), StoreFault> {
        for partition in partitions {
            if let Connection::Postgres(c) = &mut self.connection {
                sqlx::query("SELECT pg_advisory_unlock($1, $2)")
                    .bind(connection::lock_class(self.service))
                    .bind(i32::from(partition.0))
                    .execute(c)
                    .await
                    .map_err(fault)?;
            }
            self.owned.remove(partition);
        }
        Ok(())
    }

    async fn free(&mut self, partitions: u16) -> Result<u16, StoreFault> {
        match &mut self.connection {
            Connection::Sqlite(_) => {
                Ok(partitions.saturating_sub(u16::try_from(self.owned.len()).unwrap_or(u16::MAX)))
            }
            Connection::Postgres(c) => {
                let row = sqlx::query(
                    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid::bigint = $1 AND objid::bigint < $2
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                )
                .bind(i64::from(connection::lock_class(self.service)))
                .bind(i64::from(partitions))
                .fetch_one(c)
                .await
                .map_err(fault)?;
                let taken = row.try_get::<i64, _>(0).map_err(fault)?;
                Ok(partitions.saturating_sub(u16::try_from(taken).unwrap_or(u16::MAX)))
            }
        }
    }

    async fn standings(
        &mut self,
        partitions: &BTreeSet<Partition>,
    ) -> Result<BTreeMap<Partition, Standing>, StoreFault> {
        let mut standings: BTreeMap<Partition, Standing> = partitions
            .iter()
            .map(|p| (*p, Standing::default()))
            .collect();
        let numbers = "SELECT partition, max(number) FROM ledger GROUP BY partition";
        let positions = "SELECT mark, partition, stream, sequence, at, number FROM position";
        let (numbers, positions) = match &mut self.connection {
            Connection::Sqlite(c) => (
                connection::read_sqlite(c, numbers.to_owned(), &[], &[], &sql::LEDGER[..2])
                    .await
                    .map_err(fault)?,
                connection::read_sqlite(c, positions.to_owned(), &[], &[], &sql::POSITION)
                    .await
                    .map_err(fault)?,
            ),
            Connection::Postgres(c) => (
                connection::read_postgres(c, numbers.to_owned(), &[], &[], &sql::LEDGER[..2])
                    .await
                    .map_err(fault)?,
                connection::read_postgres(c, positions.to_owned(), &[], &[], &sql::POSITION)
                    .await
                    .map_err(fault)?,
            ),
        };
        for row in numbers {
            if let [
                Value::Integer(Some(partition)),
                Value::Integer(Some(number)),
            ] = row[..]
                && let Some(standing) = standing_of(&mut standings, partition)
            {
                standing.number = number;
            }
        }
        for row in positions {
            let [
                Value::Text(Some(mark)),
                Value::Integer(Some(partition)),
                Value::Text(Some(stream)),
                Value::Integer(Some(sequence)),
                Value::Text(Some(at)),
                Value::Integer(Some(number)),
            ] = &row[..]
            else {
                continue;
            };
            let at: Timestamp = at
                .parse()
                .map_err(|e| StoreFault::Unreachable(format!("position: {e}")))?;
            let position = Position {
                stream: stream.clone(),
                sequence: sequence.cast_unsigned(),
                at,
            };
            let Some(standing) = standing_of(&mut standings, *partition) else {
                continue;
            };
            if mark == Mark::Inbox.name() {
                standing.inbox = Some(position);
            } else if mark == Mark::Events.name() {
                standing.events = Some((*number, position));
            }
        }
        Ok(standings)
    }

    async fn commit(&mut self, batch: &Batch) -> Result<(), CommitError> {
        let begin = match self.connection.dialect() {
            Dialect::Sqlite => "BEGIN IMMEDIATE",
            Dialect::Postgres => "BEGIN",
        };
        self.connection.run(begin).await.map_err(unknown)?;
        match self.write_batch(batch).await {
            Ok(()) => self.connection.run("COMMIT").await.map_err(commit_error),
            Err(error) => {
                let undone = self.connection.run("ROLLBACK").await;
                // SQLite has done it already where it refused a row. In PostgreSQL the connection
                // is useless where this fails, and nothing was committed.
                if self.connection.dialect() == Dialect::Postgres {
                    undone.map_err(unknown)?;
                }
                Err(error)
            }
        }
    }

    async fn confirm(&mut self) -> Result<(), StoreFault> {
        match self.connection.dialect() {
            Dialect::Sqlite => Ok(()),
            Dialect::Postgres => self.connection.run("SELECT 1").await.map_err(fault),
        }
    }

    async fn close(self: Box<Self>) {
        self.connection.close().await;
    }
}

/// The number of partitions is fixed when a database is first used.
async fn fix_partitions(connection: &mut Connection, partitions: u16) -> Result<(), StoreFault> {
    // At the first start alone it is not there yet.
    let first = format!(
        "INSERT INTO meta (name, value) VALUES ('partitions', '{partitions}') ON CONFLICT (name) DO NOTHING"
    );
    connection.run(AssertSqlSafe(first)).await.map_err(fault)?;
    let fixed = "SELECT value FROM meta WHERE name = 'partitions'";
    let value = [Column::text("value")];
    let rows = match connection {
        Connection::Sqlite(c) => connection::read_sqlite(c, fixed.to_owned(), &[], &[], &value)
            .await
            .map_err(fault)?,
        Connection::Postgres(c) => connection::read_postgres(c, fixed.to_owned(), &[], &[], &value)
            .await
            .map_err(fault)?,
    };
    match rows.into_iter().flatten().next() {
        Some(Value::Text(Some(fixed))) if fixed == partitions.to_string() => Ok(()),
        Some(Value::Text(Some(fixed))) => Err(StoreFault::Misconfigured(format!(
            "this database was made with {fixed} partitions, and {partitions} are configured: the number cannot change, set ONHAND_PARTITIONS={fixed}"
        ))),
        other => Err(StoreFault::Misconfigured(format!(
            "the table meta holds {other:?} for partitions"
        ))),
    }
}

fn standing_of(
    standings: &mut BTreeMap<Partition, Standing>,
    partition: i64,
) -> Option<&mut Standing> {
    standings.get_mut(&Partition(u16::try_from(partition).ok()?))
}

/// Everything that a batch writes, a statement a table; states first, so that a stale writer is
/// found out before it writes anything else.
fn batch_writes(dialect: Dialect, table: &Table, batch: &Batch) -> Vec<Statement> {
    let mut statements = Vec::new();
    let (fresh, known): (Vec<&StateWrite>, Vec<&StateWrite>) =
        batch.states.iter().partition(|s| s.expected == 0);
    let insert = |table: &'static str, conflict: String| {
        move |columns: &[Column], places| dialect.insert(table, columns, places, &conflict)
    };
    let rows = fresh
        .iter()
        .map(|s| state_values(s, table, i64::from(s.partition.0)));
    add(
        &mut statements,
        dialect,
        &sql::insert_columns(table),
        rows.collect(),
        insert(table.name, String::new()),
    );
    let rows = known.iter().map(|s| state_values(s, table, s.expected));
    add(
        &mut statements,
        dialect,
        &sql::update_columns(table),
        rows.collect(),
        |_, places| dialect.update_states(table, places),
    );
    if let Some(lines) = &table.lines {
        let columns = sql::line_columns(lines);
        let conflict = sql::upsert(&[lines.parent, lines.number], &columns);
        add(
            &mut statements,
            dialect,
            &columns,
            batch.states.iter().flat_map(line_values).collect(),
            insert(lines.name, conflict),
        );
    }
    add(
        &mut statements,
        dialect,
        &sql::LEDGER,
        batch.ledger.iter().map(ledger_values).collect(),
        insert("ledger", String::new()),
    );
    add(
        &mut statements,
        dialect,
        &sql::REQUEST_KEY,
        batch.creations.iter().map(creation_values).collect(),
        insert("request_key", String::new()),
    );
    add(
        &mut statements,
        dialect,
        &sql::POSITION,
        batch.positions.iter().map(position_values).collect(),
        insert(
            "position",
            sql::upsert(&["mark", "partition"], &sql::POSITION),
        ),
    );
    statements
}

/// Adds what writes these rows, in statements of as many as one takes.
pub(super) fn add(
    statements: &mut Vec<Statement>,
    dialect: Dialect,
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
            every: true,
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

pub(super) fn write_error(error: WriteError) -> CommitError {
    match error {
        WriteError::Database(error) => commit_error(error),
        WriteError::Stale { given, changed } => CommitError::Stale(format!(
            "{changed} of {given} rows were at the expected version"
        )),
    }
}

pub(super) fn commit_error(error: sqlx::Error) -> CommitError {
    if connection::refuses(&error) {
        CommitError::Refused(error.to_string())
    } else {
        CommitError::Unknown(fault(error))
    }
}

pub(super) fn unknown(error: sqlx::Error) -> CommitError {
    CommitError::Unknown(fault(error))
}

pub(super) fn migration(error: sqlx::migrate::MigrateError) -> StoreFault {
    match error {
        sqlx::migrate::MigrateError::Execute(error) => fault(error),
        other => {
            StoreFault::Misconfigured(format!("the tables cannot be brought up to date: {other}"))
        }
    }
}

pub(super) fn io_fault(path: &std::path::Path, error: &std::io::Error) -> StoreFault {
    StoreFault::Unreachable(format!("{}: {error}", path.display()))
}
