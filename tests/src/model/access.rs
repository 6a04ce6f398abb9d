//! A process's connections to its database: what its host sees.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ::node::store::{
    Batch, CommitError, Creation, LedgerRow, RequestKey, Standing, StateRead, Store, StoreFault,
    Writer,
};
use async_trait::async_trait;
use messages::{EntityId, Partition, Timestamp};
use tokio::time::sleep;

use super::disk::{Disk, Verdict};

/// How long the database takes for a commit, or to show that it is there.
const COMMIT: Duration = Duration::from_millis(1);

/// The connections of one process.
pub struct Access {
    disk: Disk,
    cut: Arc<AtomicBool>,
    writers: Mutex<Vec<u64>>,
}

impl Access {
    pub(super) fn new(disk: Disk) -> Self {
        Self {
            disk,
            cut: Arc::new(AtomicBool::new(false)),
            writers: Mutex::default(),
        }
    }

    /// Ends these connections for good: their process is gone, and its locks with it.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::Release);
        let writers = self.writers.lock().expect("no panic while it is locked");
        for writer in &*writers {
            self.disk.lock().leave(*writer);
        }
    }

    async fn reach(&self) -> Result<(), StoreFault> {
        tokio::task::yield_now().await;
        self.disk.lock().count_read();
        reach(&self.cut)
    }
}

fn reach(cut: &AtomicBool) -> Result<(), StoreFault> {
    if cut.load(Ordering::Acquire) {
        Err(StoreFault::Unreachable("the connection is broken".into()))
    } else {
        Ok(())
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
            cut: Arc::clone(&self.cut),
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
    cut: Arc<AtomicBool>,
    broken: bool,
}

impl Connection {
    fn reach(&mut self) -> Result<(), StoreFault> {
        if let Err(fault) = reach(&self.cut) {
            self.break_off();
            return Err(fault);
        }
        if self.broken {
            return Err(StoreFault::Unreachable("the connection is broken".into()));
        }
        Ok(())
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
    async fn members(&mut self) -> Result<u16, StoreFault> {
        self.reach()?;
        Ok(u16::try_from(self.disk.lock().members()).unwrap_or(u16::MAX))
    }

    async fn claim(
        &mut self,
        partitions: u16,
        wanted: u16,
    ) -> Result<BTreeSet<Partition>, StoreFault> {
        self.reach()?;
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
        self.reach()?;
        let mut state = self.disk.lock();
        for partition in partitions {
            state.unlock(*partition, self.number);
        }
        Ok(())
    }

    async fn free(&mut self, partitions: u16) -> Result<u16, StoreFault> {
        self.reach()?;
        let locked = u16::try_from(self.disk.lock().locked()).unwrap_or(u16::MAX);
        Ok(partitions.saturating_sub(locked))
    }

    async fn standings(
        &mut self,
        partitions: &BTreeSet<Partition>,
    ) -> Result<BTreeMap<Partition, Standing>, StoreFault> {
        self.reach()?;
        let tables = &self.disk.lock().tables;
        let standings = partitions.iter().map(|p| (*p, tables.standing(*p)));
        Ok(standings.collect())
    }

    async fn commit(&mut self, batch: &Batch) -> Result<(), CommitError> {
        self.reach()?;
        sleep(COMMIT).await;
        self.disk.pass_commits().await;
        self.reach()?;
        let (verdict, written) = {
            let mut state = self.disk.lock();
            let verdict = state.verdict(batch);
            let written = match verdict {
                Verdict::Write | Verdict::BreakAfter => state.write(batch),
                Verdict::Refuse => Err(CommitError::Refused("as it was told".into())),
                Verdict::BreakBefore => Ok(()),
            };
            (verdict, written)
        };
        match verdict {
            Verdict::Write | Verdict::Refuse => written,
            Verdict::BreakBefore | Verdict::BreakAfter => {
                self.break_off();
                Err(StoreFault::Unreachable("the connection broke".into()).into())
            }
        }
    }

    async fn confirm(&mut self) -> Result<(), StoreFault> {
        sleep(COMMIT).await;
        self.reach()
    }

    async fn close(self: Box<Self>) {}
}
