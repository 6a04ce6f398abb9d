//! The one connection that writes, and the lock that it holds.
//!
//! PostgreSQL: session advisory locks on this very connection, so that a process that lost its
//! lock has lost its connection and cannot commit. SQLite: a file lock held by the process.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use async_trait::async_trait;
use messages::{Partition, Service, Timestamp};
use sqlx::{PgConnection, Row as _};

use super::{
    Batch, CommitError, Mark, Members, Position, Standing, StoreFault, Writer,
    batch::Statements,
    connection::Connection,
    database::{Database, DatabaseUrl, fault},
    lock::FileLock,
    opening,
    postgres::lock_class,
    sql,
};
use crate::table::{Column, Value};

/// The second key of the lock that every process of a service shares, by which they are counted.
const MEMBERS: i32 = 1_000_000;
/// The second key of the lock that those share that want partitions of others.
const WANTING: i32 = MEMBERS + 1;

pub(super) struct SqlWriter {
    connection: Connection,
    statements: Statements,
    service: Service,
    owned: BTreeSet<Partition>,
    wants: bool,
    _lock: Option<FileLock>,
}

impl SqlWriter {
    /// Connects, brings the tables up to date, and checks the number of partitions.
    pub(super) async fn open(database: &Database) -> Result<Self, StoreFault> {
        let (mut connection, lock) = match &database.url {
            DatabaseUrl::Sqlite(path) => {
                let opened = opening::sqlite(path, &database.migrations.sqlite).await?;
                let Some((connection, lock)) = opened else {
                    return Err(StoreFault::Unreachable(format!(
                        "{} is owned by another process",
                        path.display()
                    )));
                };
                (Connection::Sqlite(connection), Some(lock))
            }
            DatabaseUrl::Postgres(url) => {
                let mut connection = opening::postgres(url, database.service.name()).await?;
                opening::migrate(&mut connection, &database.migrations.postgres).await?;
                sqlx::query("SELECT pg_advisory_lock_shared($1, $2)")
                    .bind(lock_class(database.service))
                    .bind(MEMBERS)
                    .execute(&mut connection)
                    .await
                    .map_err(fault)?;
                (Connection::Postgres(connection), None)
            }
        };
        fix_partitions(&mut connection, database.partitions).await?;
        Ok(Self {
            statements: Statements::new(connection.dialect(), &database.table),
            connection,
            service: database.service,
            owned: BTreeSet::new(),
            wants: false,
            _lock: lock,
        })
    }
}

#[async_trait]
impl Writer for SqlWriter {
    async fn members(&mut self) -> Result<Members, StoreFault> {
        match &mut self.connection {
            Connection::Sqlite(_) => Ok(Members { all: 1, wanting: 0 }),
            Connection::Postgres(c) => {
                let all = locks(c, self.service, MEMBERS..MEMBERS + 1).await?;
                let wanting = locks(c, self.service, WANTING..WANTING + 1).await?;
                Ok(Members {
                    all: all.max(1),
                    wanting: wanting.saturating_sub(u16::from(self.wants)),
                })
            }
        }
    }

    async fn want(&mut self, more: bool) -> Result<(), StoreFault> {
        if let Connection::Postgres(c) = &mut self.connection
            && more != self.wants
        {
            let sql = if more {
                "SELECT pg_advisory_lock_shared($1, $2)"
            } else {
                "SELECT pg_advisory_unlock_shared($1, $2)"
            };
            sqlx::query(sql)
                .bind(lock_class(self.service))
                .bind(WANTING)
                .execute(c)
                .await
                .map_err(fault)?;
        }
        self.wants = more;
        Ok(())
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
                    .bind(lock_class(self.service))
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
                    .bind(lock_class(self.service))
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
                let taken = locks(c, self.service, 0..i32::from(partitions)).await?;
                Ok(partitions.saturating_sub(taken))
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
        let numbers = self.connection.read(numbers, &sql::LEDGER[..2]).await?;
        let positions = self.connection.read(positions, &sql::POSITION).await?;
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
            } else if mark == Mark::EventsKept.name() {
                standing.events_kept = Some((*number, position));
            }
        }
        Ok(standings)
    }

    async fn commit(&mut self, batch: &Batch) -> Result<(), CommitError> {
        self.connection.commit(&self.statements.of(batch)).await
    }

    async fn confirm(&mut self) -> Result<(), StoreFault> {
        self.connection.confirm().await
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
    connection.run(first).await?;
    let fixed = "SELECT value FROM meta WHERE name = 'partitions'";
    let value = [Column::text("value")];
    let rows = connection.read(fixed, &value).await?;
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

/// How many of a service's locks with these second keys are held, in any process.
async fn locks(
    connection: &mut PgConnection,
    service: Service,
    keys: Range<i32>,
) -> Result<u16, StoreFault> {
    let row = sqlx::query(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid::bigint = $1
         AND objid::bigint >= $2 AND objid::bigint < $3
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )
    .bind(i64::from(lock_class(service)))
    .bind(i64::from(keys.start))
    .bind(i64::from(keys.end))
    .fetch_one(connection)
    .await
    .map_err(fault)?;
    let held = row.try_get::<i64, _>(0).map_err(fault)?;
    Ok(u16::try_from(held).unwrap_or(u16::MAX))
}
