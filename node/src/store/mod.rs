//! The store as the host sees it: what is read, and what one commit writes.
//!
//! The seam between the journal and a database. Invariants: a [`Writer`] holds the lock on its
//! partitions and never reconnects; a [`Batch`] is committed whole or not at all.

mod batch;
mod connection;
mod database;
mod events;
mod lock;
mod migrations;
mod opening;
mod postgres;
mod sql;
mod sqlite;
mod statement;
mod writer;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use messages::{Digest, EntityId, Origin, Partition, RequestId, Timestamp};

pub use self::{
    database::{Database, DatabaseUrl, DatabaseUrlError, Readers},
    events::{EventBatch, EventDatabase, EventStanding, EventWriter, SeenRow, Write},
    migrations::Migrations,
};
use crate::table::Row;

/// One effect, as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRow {
    /// The partition of the entity.
    pub partition: Partition,
    /// Counts the partition's rows from 1, without gap.
    pub number: i64,
    /// Whose effect.
    pub entity: EntityId,
    /// The entity's version after it.
    pub version: i64,
    /// Who asked.
    pub origin: Origin,
    /// The id it is recorded under.
    pub request_id: RequestId,
    /// The digest of the command's body; `None` where the row closes another request's id.
    pub digest: Option<Digest>,
    /// What happened, in one word.
    pub kind: String,
    /// The order that it belongs to.
    pub order_id: Option<String>,
    /// By how much the balance changed.
    pub amount: Option<i64>,
    /// The balance after it.
    pub balance: Option<i64>,
    /// The change, as JSON.
    pub body: String,
    /// When it was decided.
    pub at: Timestamp,
}

/// The state of an entity as it is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateWrite {
    /// Whose state.
    pub entity: EntityId,
    /// Its partition.
    pub partition: Partition,
    /// The version that the database must hold; 0 where there is no row yet.
    pub expected: i64,
    /// The version after this write.
    pub version: i64,
    /// Whether the entity owes something.
    pub owing: bool,
    /// Its columns and lines.
    pub row: Row,
}

/// The state of an entity as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateRead {
    /// Whose state.
    pub entity: EntityId,
    /// Its version.
    pub version: i64,
    /// Its columns and lines.
    pub row: Row,
}

/// A creation under a caller's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creation {
    /// The call, such as `POST /orders`.
    pub call: String,
    /// The caller's key.
    pub key: String,
    /// The digest of the call's body.
    pub digest: Digest,
    /// What was made.
    pub entity: EntityId,
    /// When.
    pub at: Timestamp,
}

/// How far a partition's stream has been read: the last message up to which all is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The stream's identity: the time of its creation, as the broker writes it.
    pub stream: String,
    /// The message's sequence in the stream.
    pub sequence: u64,
    /// The message's own time; for [`Mark::Events`] that of its acknowledgement.
    pub at: Timestamp,
}

/// What a position is kept for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// How far the partition's commands or replies have been read.
    Inbox,
    /// How far the partition's ledger has been told as events: the position of the newest in the
    /// stream, at the time when it was acknowledged, and the `number` of its row.
    Events,
    /// How much of that was told so long ago that the broker will keep it: `number` of its last row.
    /// The position is that of [`Mark::Events`] when this was noted.
    EventsKept,
}

impl Mark {
    /// The word in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Events => "events",
            Self::EventsKept => "eventsKept",
        }
    }
}

/// A position to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PositionWrite {
    /// What for.
    pub mark: Mark,
    /// Whose.
    pub partition: Partition,
    /// How far.
    pub position: Position,
    /// The number of a ledger row, for the marks of events; else 0.
    pub number: i64,
}

/// Everything that one commit writes.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// New rows of the ledger.
    pub ledger: Vec<LedgerRow>,
    /// The states after them, one an entity.
    pub states: Vec<StateWrite>,
    /// Keys of creations.
    pub creations: Vec<Creation>,
    /// Positions in streams.
    pub positions: Vec<PositionWrite>,
}

impl Batch {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.ledger.is_empty()
            && self.states.is_empty()
            && self.creations.is_empty()
            && self.positions.is_empty()
    }
}

/// Why a database could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreFault {
    /// It could not be reached or did not answer: nothing is known about the outcome.
    #[error("database: {0}")]
    Unreachable(String),
    /// It is there, and trying again is vain until somebody mends the configuration.
    #[error("{0}")]
    Misconfigured(String),
}

/// Why a commit did not happen, or may not have.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The database refused the rows themselves; nothing of the batch was written.
    #[error("the database refuses: {0}")]
    Refused(String),
    /// Another writer was faster: this one is stale and must stop; nothing was written.
    #[error("another writer owns this state: {0}")]
    Stale(String),
    /// The outcome is unknown.
    #[error(transparent)]
    Unknown(#[from] StoreFault),
}

/// A request whose earlier effect is looked for.
pub type RequestKey = (EntityId, Origin, RequestId);

/// Where a partition stands when it is taken over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The number of its last ledger row.
    pub number: i64,
    /// How far its stream has been read.
    pub inbox: Option<Position>,
    /// How far its ledger has been told.
    pub events: Option<(i64, Position)>,
    /// Up to which row the broker will keep what was told.
    pub events_kept: Option<(i64, Position)>,
}

/// A service's database, for reading, and for becoming its writer.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Connects a writer that owns nothing yet.
    async fn writer(&self) -> Result<Box<dyn Writer>, StoreFault>;
    /// The states of those entities that have one.
    async fn load(&self, entities: &[EntityId]) -> Result<Vec<StateRead>, StoreFault>;
    /// The ledger rows of those requests that have one.
    async fn lookup(&self, requests: &[RequestKey]) -> Result<Vec<LedgerRow>, StoreFault>;
    /// The request of the ledger that comes last, in the order of their texts, of those from `from` on
    /// and before `before`; for tables with [`Table::requests_first`](crate::table::Table) only.
    async fn last_request(&self, from: &str, before: &str)
    -> Result<Option<RequestId>, StoreFault>;
    /// The creations of those `(call, key)` that have one.
    async fn creations(&self, keys: &[(String, String)]) -> Result<Vec<Creation>, StoreFault>;
    /// The states of a partition that owe something, by id, behind `after`.
    async fn owing(
        &self,
        partition: Partition,
        after: &str,
        limit: u32,
    ) -> Result<Vec<StateRead>, StoreFault>;
    /// The ledger rows of a partition behind `number`.
    async fn ledger(
        &self,
        partition: Partition,
        number: i64,
        limit: u32,
    ) -> Result<Vec<LedgerRow>, StoreFault>;
    /// The number of the last ledger row of a partition that is older than `at`.
    async fn number_before(&self, partition: Partition, at: Timestamp) -> Result<i64, StoreFault>;
}

/// The processes of a service on one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Members {
    /// All of them, this one included.
    pub all: u16,
    /// Those of the others that have less than their share, and find nothing free.
    pub wanting: u16,
}

/// The one connection that writes: it holds the lock on its partitions as long as it lives.
#[async_trait]
pub trait Writer: Send + Sync {
    /// The processes of this service.
    async fn members(&mut self) -> Result<Members, StoreFault>;
    /// Says whether this process wants partitions that another has.
    async fn want(&mut self, more: bool) -> Result<(), StoreFault>;
    /// Takes free partitions until `wanted` are owned; answers all that are owned.
    async fn claim(
        &mut self,
        partitions: u16,
        wanted: u16,
    ) -> Result<BTreeSet<Partition>, StoreFault>;
    /// Gives partitions back.
    async fn release(&mut self, partitions: &BTreeSet<Partition>) -> Result<(), StoreFault>;
    /// How many of the service's partitions nobody owns.
    async fn free(&mut self, partitions: u16) -> Result<u16, StoreFault>;
    /// Where the owned partitions stand.
    async fn standings(
        &mut self,
        partitions: &BTreeSet<Partition>,
    ) -> Result<BTreeMap<Partition, Standing>, StoreFault>;
    /// Writes a batch, whole or not at all.
    async fn commit(&mut self, batch: &Batch) -> Result<(), CommitError>;
    /// Makes sure that this is still the owner, where that can be lost unnoticed.
    async fn confirm(&mut self) -> Result<(), StoreFault>;
    /// Gives everything back and closes.
    async fn close(self: Box<Self>);
}
