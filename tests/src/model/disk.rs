//! A database that several processes share: what was committed and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use ::node::store::{Batch, CommitError};
use messages::Partition;
use tokio::sync::watch;

use super::{access::Access, tables::Tables};

/// What becomes of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The tables take it, or refuse it by their own rules.
    Write,
    /// The database refuses the rows.
    Refuse,
    /// The connection breaks before it was written: the outcome is unknown.
    BreakBefore,
    /// The connection breaks after it was written: the outcome is unknown.
    BreakAfter,
}

/// A database that several processes share.
#[derive(Clone)]
pub struct Disk(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    commits: Gate,
    lookups: Gate,
}

/// What a database has.
pub(super) struct State {
    pub(super) tables: Tables,
    judge: Box<dyn FnMut(&Batch) -> Verdict + Send>,
    batches: Vec<Batch>,
    reads: u64,
    writers: u64,
    members: BTreeSet<u64>,
    locks: BTreeMap<Partition, u64>,
}

/// Where what comes may be made to wait.
#[derive(Default)]
struct Gate {
    closed: watch::Sender<bool>,
    waiting: watch::Sender<usize>,
}

impl Default for Disk {
    fn default() -> Self {
        let state = State {
            tables: Tables::default(),
            judge: Box::new(|_| Verdict::Write),
            batches: Vec::new(),
            reads: 0,
            writers: 0,
            members: BTreeSet::new(),
            locks: BTreeMap::new(),
        };
        Self(Arc::new(Shared {
            state: Mutex::new(state),
            commits: Gate::default(),
            lookups: Gate::default(),
        }))
    }
}

impl Disk {
    /// A connection of one process.
    pub fn open(&self) -> Arc<Access> {
        Arc::new(Access::new(self.clone()))
    }

    /// The tables as they stand.
    pub fn tables(&self) -> Tables {
        self.lock().tables.clone()
    }

    /// Every batch that was written, in order.
    pub fn batches(&self) -> Vec<Batch> {
        self.lock().batches.clone()
    }

    /// How often anything was read.
    pub fn reads(&self) -> u64 {
        self.lock().reads
    }

    /// How many writers there ever were: one a life of a host.
    pub fn writers(&self) -> u64 {
        self.lock().writers
    }

    /// Decides from now on what becomes of commits.
    pub fn judge(&self, judge: impl FnMut(&Batch) -> Verdict + Send + 'static) {
        self.lock().judge = Box::new(judge);
    }

    /// Holds commits up until they are let go. Nothing of them is written before.
    pub fn hold_commits(&self) {
        self.0.commits.closed.send_replace(true);
    }

    /// Lets commits go.
    pub fn let_commits_go(&self) {
        self.0.commits.closed.send_replace(false);
    }

    /// How many commits are held up.
    pub fn commits_held(&self) -> usize {
        *self.0.commits.waiting.borrow()
    }

    /// Holds what is looked up in the ledger back until it is let go: as it was when it was read.
    pub fn hold_lookups(&self) {
        self.0.lookups.closed.send_replace(true);
    }

    /// Lets lookups go.
    pub fn let_lookups_go(&self) {
        self.0.lookups.closed.send_replace(false);
    }

    /// How many lookups are held back.
    pub fn lookups_held(&self) -> usize {
        *self.0.lookups.waiting.borrow()
    }

    /// Writes as somebody who does not hold the lock.
    pub fn write(&self, batch: &Batch) -> Result<(), CommitError> {
        self.lock().tables.write(batch)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no panic while it is locked")
    }

    pub(super) async fn pass_commits(&self) {
        self.0.commits.pass().await;
    }

    pub(super) async fn pass_lookups(&self) {
        self.0.lookups.pass().await;
    }
}

impl Gate {
    async fn pass(&self) {
        let _waiting = Waiting::at(&self.waiting);
        let mut closed = self.closed.subscribe();
        // The gate outlives whoever waits at it.
        let _ = closed.wait_for(|closed| !closed).await;
    }
}

/// One who waits, also where it stops waiting.
struct Waiting<'a>(&'a watch::Sender<usize>);

impl<'a> Waiting<'a> {
    fn at(waiting: &'a watch::Sender<usize>) -> Self {
        waiting.send_modify(|waiting| *waiting += 1);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting -= 1);
    }
}

impl State {
    pub(super) fn count_read(&mut self) {
        self.reads += 1;
    }

    /// A new writer's number.
    pub(super) fn enter(&mut self) -> u64 {
        self.writers += 1;
        self.members.insert(self.writers);
        self.writers
    }

    /// A writer is gone, and its locks with it.
    pub(super) fn leave(&mut self, writer: u64) {
        self.members.remove(&writer);
        self.locks.retain(|_, holder| *holder != writer);
    }

    pub(super) fn members(&self) -> usize {
        self.members.len()
    }

    pub(super) fn try_lock(&mut self, partition: Partition, writer: u64) -> bool {
        *self.locks.entry(partition).or_insert(writer) == writer
    }

    pub(super) fn unlock(&mut self, partition: Partition, writer: u64) {
        if self.locks.get(&partition) == Some(&writer) {
            self.locks.remove(&partition);
        }
    }

    pub(super) fn locked(&self) -> usize {
        self.locks.len()
    }

    pub(super) fn owned(&self, writer: u64) -> BTreeSet<Partition> {
        let owned = self.locks.iter().filter(|(_, holder)| **holder == writer);
        owned.map(|(partition, _)| *partition).collect()
    }

    pub(super) fn verdict(&mut self, batch: &Batch) -> Verdict {
        (self.judge)(batch)
    }

    pub(super) fn write(&mut self, batch: &Batch) -> Result<(), CommitError> {
        self.tables.write(batch)?;
        self.batches.push(batch.clone());
        Ok(())
    }
}
