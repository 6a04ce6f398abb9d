//! A database that several processes share: what was committed and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use messages::Partition;
use node::{
    store::{Batch, CommitError, Members},
    table::Table,
};

use crate::{access::Access, gate::Gate, life::Life, tables::Tables};

/// How long a commit takes, or to show that the database is there, unless it is told otherwise.
const COMMIT: Duration = Duration::from_millis(1);

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
    /// It is not written, and no answer ever comes.
    HangBefore,
    /// It is written, and no answer ever comes.
    HangAfter,
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
pub(crate) struct State {
    pub(crate) tables: Tables,
    judge: Box<dyn FnMut(&Batch) -> Verdict + Send>,
    observe: Box<dyn FnMut(&Batch) + Send>,
    takes: Box<dyn FnMut() -> Duration + Send>,
    away: bool,
    /// Every batch that was written, where they are kept.
    batches: Option<Vec<Batch>>,
    reads: u64,
    writers: u64,
    members: BTreeSet<u64>,
    wanting: BTreeSet<u64>,
    locks: BTreeMap<Partition, u64>,
}

impl Default for Disk {
    fn default() -> Self {
        Self::keeping(Some(Vec::new()))
    }
}

impl Disk {
    /// A database that does not keep what was written when, only what came of it.
    pub fn without_history() -> Self {
        Self::keeping(None)
    }

    fn keeping(batches: Option<Vec<Batch>>) -> Self {
        let state = State {
            tables: Tables::default(),
            judge: Box::new(|_| Verdict::Write),
            observe: Box::new(|_| {}),
            takes: Box::new(|| COMMIT),
            away: false,
            batches,
            reads: 0,
            writers: 0,
            members: BTreeSet::new(),
            wanting: BTreeSet::new(),
            locks: BTreeMap::new(),
        };
        Self(Arc::new(Shared {
            state: Mutex::new(state),
            commits: Gate::default(),
            lookups: Gate::default(),
        }))
    }

    /// A connection of one process.
    pub fn open(&self, life: &Arc<Life>) -> Arc<Access> {
        Access::new(self.clone(), Arc::clone(life))
    }

    /// The tables as they stand.
    pub fn tables(&self) -> Tables {
        self.lock().tables.clone()
    }

    /// Reads the tables as they stand.
    pub fn read<T>(&self, read: impl FnOnce(&Tables) -> T) -> T {
        read(&self.lock().tables)
    }

    /// Every batch that was written, in order; none, where they are not kept.
    pub fn batches(&self) -> Vec<Batch> {
        self.lock().batches.clone().unwrap_or_default()
    }

    /// Is told every batch when it is written.
    pub fn observe(&self, observe: impl FnMut(&Batch) + Send + 'static) {
        self.lock().observe = Box::new(observe);
    }

    /// Says from now on how long each commit takes.
    pub fn take_time(&self, takes: impl FnMut() -> Duration + Send + 'static) {
        self.lock().takes = Box::new(takes);
    }

    /// Is away, and breaks every connection, or is back.
    pub fn be_away(&self, away: bool) {
        let mut state = self.lock();
        state.away = away;
        if away {
            state.members.clear();
            state.wanting.clear();
            state.locks.clear();
        }
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
        self.0.commits.close();
    }

    /// Lets commits go.
    pub fn let_commits_go(&self) {
        self.0.commits.open();
    }

    /// How many commits are held up.
    pub fn commits_held(&self) -> usize {
        self.0.commits.waiting()
    }

    /// Holds what is looked up in the ledger back until it is let go: as it was when it was read.
    pub fn hold_lookups(&self) {
        self.0.lookups.close();
    }

    /// Lets lookups go.
    pub fn let_lookups_go(&self) {
        self.0.lookups.open();
    }

    /// How many lookups are held back.
    pub fn lookups_held(&self) -> usize {
        self.0.lookups.waiting()
    }

    /// Writes as somebody who does not hold the lock.
    pub fn write(&self, batch: &Batch) -> Result<(), CommitError> {
        self.lock().tables.write(batch)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no panic while it is locked")
    }

    pub(crate) async fn pass_commits(&self) {
        self.0.commits.pass().await;
    }

    pub(crate) async fn pass_lookups(&self) {
        self.0.lookups.pass().await;
    }
}

impl State {
    pub(crate) fn count_read(&mut self) {
        self.reads += 1;
    }

    /// A new writer's number.
    pub(crate) fn enter(&mut self) -> u64 {
        self.writers += 1;
        self.members.insert(self.writers);
        self.writers
    }

    /// A writer is gone, and its locks with it.
    pub(crate) fn leave(&mut self, writer: u64) {
        self.members.remove(&writer);
        self.wanting.remove(&writer);
        self.unlock_all(writer);
    }

    pub(crate) fn unlock_all(&mut self, writer: u64) {
        self.locks.retain(|_, holder| *holder != writer);
    }

    pub(crate) fn members(&self, writer: u64) -> Members {
        let count = |n| u16::try_from(n).unwrap_or(u16::MAX);
        let others = self.wanting.iter().filter(|other| **other != writer);
        Members {
            all: count(self.members.len()),
            wanting: count(others.count()),
        }
    }

    pub(crate) fn want(&mut self, writer: u64, more: bool) {
        if more {
            self.wanting.insert(writer);
        } else {
            self.wanting.remove(&writer);
        }
    }

    /// Whether a writer's connection is still known here.
    pub(crate) fn knows(&self, writer: u64) -> bool {
        self.members.contains(&writer)
    }

    pub(crate) const fn is_away(&self) -> bool {
        self.away
    }

    /// How long the next commit takes.
    pub(crate) fn commit_takes(&mut self) -> Duration {
        (self.takes)()
    }

    pub(crate) fn try_lock(&mut self, partition: Partition, writer: u64) -> bool {
        *self.locks.entry(partition).or_insert(writer) == writer
    }

    pub(crate) fn unlock(&mut self, partition: Partition, writer: u64) {
        if self.locks.get(&partition) == Some(&writer) {
            self.locks.remove(&partition);
        }
    }

    pub(crate) fn locked(&self) -> usize {
        self.locks.len()
    }

    pub(crate) fn owned(&self, writer: u64) -> BTreeSet<Partition> {
        let owned = self.locks.iter().filter(|(_, holder)| **holder == writer);
        owned.map(|(partition, _)| *partition).collect()
    }

    pub(crate) fn verdict(&mut self, batch: &Batch) -> Verdict {
        (self.judge)(batch)
    }

    pub(crate) fn know(&mut self, table: &Table) {
        self.tables.know(table);
    }

    pub(crate) fn write(&mut self, batch: &Batch) -> Result<(), CommitError> {
        self.tables.write(batch)?;
        (self.observe)(batch);
        if let Some(batches) = &mut self.batches {
            batches.push(batch.clone());
        }
        Ok(())
    }
}
