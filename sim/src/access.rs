//! A process's connections to its database: what its host sees.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use messages::{EntityId, Partition, RequestId, Timestamp};
use node::store::{
    Batch, CommitError, Creation, LedgerRow, Members, RequestKey, Standing, StateRead, Store,
    StoreFault, Writer,
};
use node::table::Table;
use tokio::time::sleep;

use crate::{
    disk::{Disk, Verdict},
    life::{Life, Over},
};

/// The connections of one process.
pub struct Access {
    disk: Disk,
    life: Arc<Life>,
    /// Those that write.
    writers: Arc<Mutex<Vec<u64>>>,
}

impl Access {
    /// Lets the database know the table of its service, as migrations do.
    pub(crate) fn bring_up_to_date(&self, table: &Table) {
        self.disk.lock().know(table);
    }

    pub(crate) fn new(disk: Disk, life: Arc<Life>) -> Arc<Self> {
        let access = Arc::new(Self {
            disk,
            life,
            writers: Arc::default(),
        });
        let (disk, writers) = (access.disk.clone(), Arc::clone(&access.writers));
        access.life.at_last(move || leave(&disk, &writers));
        access
    }

    /// The database ends the connection that writes, and its locks with it: its process finds out
    /// when it next writes.
    pub fn be_forgotten(&self) {
        leave(&self.disk, &self.writers);
    }

    /// The locks of the connection that writes are given to whoever wants them, though it goes on
    /// writing: so there may be two owners, each of whom believes that he is the only one.
    pub fn be_doubted(&self) {
        let writers = self.writers.lock().expect("no panic while it is locked");
        for writer in &*writers {
            self.disk.lock().unlock_all(*writer);
        }
    }

    async fn reach(&self) -> Result<(), StoreFault> {
        self.life.exchange().await?;
        tokio::task::yield_now().await;
        self.life.exchange().await?;
        let mut state = self.disk.lock();
        state.count_read();
        if state.is_away() {
            return Err(broken());
        }
        Ok(())
    }
}

fn leave(disk: &Disk, writers: &Mutex<Vec<u64>>) {
    let writers = std::mem::take(&mut *writers.lock().expect("no panic while it is locked"));
    for writer in writers {
        disk.lock().leave(writer);
    }
}

fn broken() -> StoreFault {
    StoreFault::Unreachable("the connection is broken".into())
}

impl From<Over> for StoreFault {
    fn from(_: Over) -> Self {
        Self::Unreachable("the process is gone".into())
    }
}

#[async_trait]
impl Store for Access {
    async fn writer(&self) -> Result<Box<dyn Writer>, StoreFault> {
        self.reach().await?;
        let number = self.disk.lock().enter();
        let mut writers = self.writers.lock().expect("no panic while it is locked");
        writers.push(number);
        Ok(Box::new(Connection {
            number,
            disk: self.disk.clone(),
            life: Arc::clone(&self.life),
            broken: false,
        }))
    }

    async fn load(&self, entities: &[EntityId]) -> Result<Vec<StateRead>, StoreFault> {
        self.reach().await?;
        let tables = &self.disk.lock().tables;
        Ok(entities.iter().filter_map(|id| tables.state(id)).collect())
    }

    async fn lookup(&self, requests: &[RequestKey]) -> Result<Vec<LedgerRow>, StoreFault> {
        self.reach().await?;
        let rows = {
            let tables = &self.disk.lock().tables;
            let rows = requests.iter().filter_map(|request| tables.row(request));
            rows.cloned().collect()
        };
        self.disk.pass_lookups().await;
        Ok(rows)
    }

    async fn last_request(
        &self,
        from: &str,
        before: &str,
    ) -> Result<Option<RequestId>, StoreFault> {
        self.reach().await?;
        let tables = &self.disk.lock().tables;
        Ok(tables.last_request(from, before).cloned())
    }

    async fn creations(&self, keys: &[(String, String)]) -> Result<Vec<Creation>, StoreFault> {
        self.reach().await?;
        let tables = &self.disk.lock().tables;
        let creations = keys.iter().filter_map(|key| tables.creations.get(key));
        Ok(creations.cloned().collect())
    }

    async fn owing(
        &self,
        partition: Partition,
        after: &str,
        limit: u32,
    ) -> Result<Vec<StateRead>, StoreFault> {
        self.reach().await?;
        let tables = &self.disk.lock().tables;
        let owing = tables
            .states
            .iter()
            .filter(|(id, kept)| kept.owing && kept.partition == partition && id.as_str() > after);
        let states = owing.filter_map(|(id, _)| tables.state(id));
        Ok(states.take(limit as usize).collect())
    }

    async fn ledger(
        &self,
        partition: Partition,
        number: i64,
        limit: u32,
    ) -> Result<Vec<LedgerRow>, StoreFault> {
        self.reach().await?;
        let ledger = &self.disk.lock().tables.ledger;
        let rows = ledger.range((partition, number + 1)..=(partition, i64::MAX));
        Ok(rows
            .take(limit as usize)
            .map(|(_, row)| row.clone())
            .collect())
    }

    async fn number_before(&self, partition: Partition, at: Timestamp) -> Result<i64, StoreFault> {
        self.reach().await?;
        let ledger = &self.disk.lock().tables.ledger;
        let rows = ledger.range((partition, i64::MIN)..=(partition, i64::MAX));
        let older = rows.filter(|(_, row)| row.at < at);
        Ok(older.map(|((_, number), _)| *number).max().unwrap_or(0))
    }
}

/// A writer: once broken it stays so.
struct Connection {
    disk: Disk,
    number: u64,
    life: Arc<Life>,
    broken: bool,
}

impl Connection {
    async fn reach(&mut self) -> Result<(), StoreFault> {
        if let Err(over) = self.life.exchange().await {
            self.break_off();
            return Err(over.into());
        }
        let here = {
            let state = self.disk.lock();
            state.knows(self.number) && !state.is_away()
        };
        if self.broken || !here {
            self.break_off();
            return Err(broken());
        }
        Ok(())
    }

    /// Waits as long as the database takes.
    async fn work(&self) {
        let takes = self.disk.lock().commit_takes();
        sleep(takes).await;
    }

    fn break_off(&mut self) {
        self.broken = true;
        self.disk.lock().leave(self.number);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.disk.lock().leave(self.number);
    }
}

#[async_trait]
impl Writer for Connection {
    async fn members(&mut self) -> Result<Members, StoreFault> {
        self.reach().await?;
        Ok(self.disk.lock().members(self.number))
    }

    async fn want(&mut self, more: bool) -> Result<(), StoreFault> {
        self.reach().await?;
        self.disk.lock().want(self.number, more);
        Ok(())
    }

    async fn claim(
        &mut self,
        partitions: u16,
        wanted: u16,
    ) -> Result<BTreeSet<Partition>, StoreFault> {
        self.reach().await?;
        let mut state = self.disk.lock();
        let mut owned = state.owned(self.number);
        for partition in (0..partitions).map(Partition) {
            if owned.len() < usize::from(wanted) && state.try_lock(partition, self.number) {
                owned.insert(partition);
            }
        }
        Ok(owned)
    }

    async fn release(&mut self, partitions: &BTreeSet<Partition>) -> Result<(), StoreFault> {
        self.reach().await?;
        let mut state = self.disk.lock();
        for partition in partitions {
            state.unlock(*partition, self.number);
        }
        Ok(())
    }

    async fn free(&mut self, partitions: u16) -> Result<u16, StoreFault> {
        self.reach().await?;
        let locked = u16::try_from(self.disk.lock().locked()).unwrap_or(u16::MAX);
        Ok(partitions.saturating_sub(locked))
    }

    async fn standings(
        &mut self,
        partitions: &BTreeSet<Partition>,
    ) -> Result<BTreeMap<Partition, Standing>, StoreFault> {
        self.reach().await?;
        let tables = &self.disk.lock().tables;
        let standings = partitions.iter().map(|p| (*p, tables.standing(*p)));
        Ok(standings.collect())
    }

    async fn commit(&mut self, batch: &Batch) -> Result<(), CommitError> {
        self.reach().await?;
        self.work().await;
        self.disk.pass_commits().await;
        self.reach().await?;
        let (verdict, written) = {
            let mut state = self.disk.lock();
            let verdict = state.verdict(batch);
            let written = match verdict {
                Verdict::Write | Verdict::BreakAfter | Verdict::HangAfter => state.write(batch),
                Verdict::Refuse => Err(CommitError::Refused("as it was told".into())),
                Verdict::BreakBefore | Verdict::HangBefore => Ok(()),
            };
            (verdict, written)
        };
        match verdict {
            Verdict::Write | Verdict::Refuse => {
                self.life.exchange().await.map_err(StoreFault::from)?;
                written
            }
            Verdict::BreakBefore | Verdict::BreakAfter => {
                self.break_off();
                Err(broken().into())
            }
            Verdict::HangBefore | Verdict::HangAfter => std::future::pending().await,
        }
    }

    async fn confirm(&mut self) -> Result<(), StoreFault> {
        self.work().await;
        self.reach().await
    }

    async fn close(self: Box<Self>) {}
}
