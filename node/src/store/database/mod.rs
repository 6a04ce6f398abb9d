//! A service's database, and what the host reads from it.

mod address;
mod readers;
mod reading;
mod rows;

use async_trait::async_trait;
use messages::{EntityId, Partition, RequestId, Service, Timestamp};

pub(super) use self::{
    address::{CONNECT_WAIT, WRITER_PRAGMAS, postgres_options, sqlite_options},
    reading::values,
};
pub use self::{
    address::{DatabaseUrl, DatabaseUrlError},
    readers::Readers,
};
use self::{
    reading::read_sqlite,
    rows::{creation, ledger_row},
};
use super::{
    Creation, LedgerRow, RequestKey, StateRead, Store, StoreFault, Writer,
    migrations::{Complete, Migrations},
    postgres,
    sql::{self, Dialect},
    writer::SqlWriter,
};
use crate::table::{Column, Kind, Line, Reader, Row, RowError, Table, Value};

/// A service's database.
#[derive(Clone, Debug)]
pub struct Database {
    pub(super) service: Service,
    pub(super) table: Table,
    pub(super) url: DatabaseUrl,
    pub(super) migrations: Complete,
    pub(super) partitions: u16,
    readers: Readers,
}

impl Database {
    /// Names a database; nothing is opened until it is used.
    pub fn new(
        service: Service,
        table: Table,
        url: DatabaseUrl,
        migrations: Migrations,
        partitions: u16,
    ) -> Result<Self, StoreFault> {
        let readers = Readers::open(&url, service.name())?;
        Ok(Self {
            service,
            table,
            url,
            migrations: migrations.with_the_hosts(),
            partitions,
            readers,
        })
    }

    /// The connections that read, for a service's own lists and searches.
    pub const fn readers(&self) -> &Readers {
        &self.readers
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

    /// Reads the rows of `table` whose `keys` are given.
    async fn select(
        &self,
        table: &str,
        wanted: &[Column],
        columns: &[Column],
        keys: &[Vec<Value>],
    ) -> Result<Vec<Vec<Value>>, StoreFault> {
        let mut found = Vec::with_capacity(keys.len());
        let mut rest = keys;
        while !rest.is_empty() {
            let (chunk, behind) = rest.split_at(self.dialect().chunk(rest.len()));
            rest = behind;
            let places = self.dialect().places(chunk.len());
            let statement = self.dialect().select(table, wanted, columns, places);
            match &self.readers {
                Readers::Sqlite(pool) => {
                    let mut reader = pool.acquire().await.map_err(fault)?;
                    found.extend(
                        read_sqlite(&mut reader, statement, columns, chunk, wanted)
                            .await
                            .map_err(fault)?,
                    );
                }
                Readers::Postgres(pool) => {
                    let mut reader = pool.acquire().await.map_err(fault)?;
                    found.extend(
                        postgres::read(&mut reader, statement, columns, chunk, wanted)
                            .await
                            .map_err(fault)?,
                    );
                }
            }
        }
        Ok(found)
    }

    /// Completes rows of the state table with their lines.
    async fn with_lines(&self, rows: Vec<Vec<Value>>) -> Result<Vec<StateRead>, StoreFault> {
        let mut states = Vec::with_capacity(rows.len());
        for mut row in rows {
            let values = row.split_off(2);
            let mut reader = Reader::new(row);
            let entity = EntityId::from(reader.text().map_err(unreadable)?.as_str());
            let version = reader.integer().map_err(unreadable)?;
            states.push(StateRead {
                entity,
                version,
                row: Row {
                    values,
                    lines: Vec::new(),
                },
            });
        }
        let Some(lines) = self.table.lines.filter(|_| !states.is_empty()) else {
            return Ok(states);
        };
        let columns = sql::line_columns(&lines);
        let keys: Vec<Vec<Value>> = states
            .iter()
            .map(|s| vec![s.entity.as_str().into()])
            .collect();
        let mut found = self
            .select(lines.name, &columns, &columns[..1], &keys)
            .await?;
        // By parent and number, whatever order the database found them in.
        found.sort_by_cached_key(|row| match (&row[0], &row[1]) {
            (Value::Text(parent), Value::Integer(line)) => (parent.clone(), *line),
            _ => (None, None),
        });
        let mut by_parent: std::collections::BTreeMap<String, Vec<Line>> =
            std::collections::BTreeMap::new();
        for mut row in found {
            let values = row.split_off(2);
            if let [Value::Text(Some(parent)), Value::Integer(Some(number))] = &row[..] {
                let line = Line {
                    number: *number,
                    values,
                };
                by_parent.entry(parent.clone()).or_default().push(line);
            }
        }
        for state in &mut states {
            state.row.lines = by_parent.remove(state.entity.as_str()).unwrap_or_default();
        }
        Ok(states)
    }

    const fn dialect(&self) -> Dialect {
        match self.readers {
            Readers::Sqlite(_) => Dialect::Sqlite,
            Readers::Postgres(_) => Dialect::Postgres,
        }
    }
}

#[async_trait]
impl Store for Database {
    async fn writer(&self) -> Result<Box<dyn Writer>, StoreFault> {
        Ok(Box::new(SqlWriter::open(self).await?))
    }

    async fn load(&self, entities: &[EntityId]) -> Result<Vec<StateRead>, StoreFault> {
        let keys: Vec<Vec<Value>> = entities.iter().map(|id| vec![id.as_str().into()]).collect();
        let wanted = sql::read_columns(&self.table);
        let rows = self
            .select(self.table.name, &wanted, &wanted[..1], &keys)
            .await?;
        self.with_lines(rows).await
    }

    async fn lookup(&self, requests: &[RequestKey]) -> Result<Vec<LedgerRow>, StoreFault> {
        let keys: Vec<Vec<Value>> = requests
            .iter()
            .map(|(entity, origin, id)| {
                vec![
                    entity.as_str().into(),
                    origin.name().into(),
                    id.as_str().into(),
                ]
            })
            .collect();
        let columns = [sql::LEDGER[2], sql::LEDGER[4], sql::LEDGER[5]];
        let rows = self.select("ledger", &sql::LEDGER, &columns, &keys).await?;
        rows.into_iter()
            .map(|row| ledger_row(row).map_err(unreadable))
            .collect()
    }

    async fn last_request(
        &self,
        from: &str,
        before: &str,
    ) -> Result<Option<RequestId>, StoreFault> {
        let statement = "SELECT request_id FROM ledger WHERE request_id >= $1 AND request_id < $2 \
             ORDER BY request_id DESC LIMIT 1"
            .to_owned();
        let rows = self
            .query(statement, &[from.into(), before.into()], &[Kind::Text])
            .await?;
        Ok(match rows.into_iter().flatten().next() {
            Some(Value::Text(Some(id))) => Some(id.into()),
            _ => None,
        })
    }

    async fn creations(&self, keys: &[(String, String)]) -> Result<Vec<Creation>, StoreFault> {
        let keys: Vec<Vec<Value>> = keys
            .iter()
            .map(|(call, key)| vec![call.as_str().into(), key.as_str().into()])
            .collect();
        let rows = self
            .select(
                "request_key",
                &sql::REQUEST_KEY,
                &sql::REQUEST_KEY[..2],
                &keys,
            )
            .await?;
        rows.into_iter()
            .map(|row| creation(row).map_err(unreadable))
            .collect()
    }

    async fn owing(
        &self,
        partition: Partition,
        after: &str,
        limit: u32,
    ) -> Result<Vec<StateRead>, StoreFault> {
        if !self.table.owing {
            return Ok(Vec::new());
        }
        let wanted = sql::read_columns(&self.table);
        let statement = format!(
            "SELECT {} FROM {} WHERE owing = {} AND partition = $1 AND id > $2 ORDER BY id LIMIT {limit}",
            sql::names(&wanted),
            self.table.name,
            self.dialect().truth(),
        );
        let kinds: Vec<Kind> = wanted.iter().map(|c| c.kind).collect();
        let rows = self
            .query(
                statement,
                &[i64::from(partition.0).into(), after.into()],
                &kinds,
            )
            .await?;
        self.with_lines(rows).await
    }

    async fn ledger(
        &self,
        partition: Partition,
        number: i64,
        limit: u32,
    ) -> Result<Vec<LedgerRow>, StoreFault> {
        let statement = format!(
            "SELECT {} FROM ledger WHERE partition = $1 AND number > $2 ORDER BY number LIMIT {limit}",
            sql::names(&sql::LEDGER),
        );
        let kinds: Vec<Kind> = sql::LEDGER.iter().map(|c| c.kind).collect();
        let rows = self
            .query(
                statement,
                &[i64::from(partition.0).into(), number.into()],
                &kinds,
            )
            .await?;
        rows.into_iter()
            .map(|row| ledger_row(row).map_err(unreadable))
            .collect()
    }

    async fn number_before(&self, partition: Partition, at: Timestamp) -> Result<i64, StoreFault> {
        let statement =
            "SELECT coalesce(max(number), 0) FROM ledger WHERE partition = $1 AND at < $2"
                .to_owned();
        let rows = self
            .query(
                statement,
                &[i64::from(partition.0).into(), at.into()],
                &[Kind::Integer],
            )
            .await?;
        match rows.into_iter().flatten().next() {
            Some(Value::Integer(Some(number))) => Ok(number),
            _ => Ok(0),
        }
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands where `map_err` hands it over"
)]
pub(super) fn fault(error: sqlx::Error) -> StoreFault {
    StoreFault::Unreachable(error.to_string())
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands where `map_err` hands it over"
)]
pub(super) fn unreadable(error: RowError) -> StoreFault {
    StoreFault::Unreachable(error.to_string())
}
