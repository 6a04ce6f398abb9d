//! What travels inside the host: a command on its way in, and what became of it on its way out.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
};

use messages::{Digest, EntityId, Origin, Partition, Refusal, RequestId, Subject, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::{
    entity::Entity,
    store::{Creation, LedgerRow},
    table::Touch,
};

/// What an entity answers.
pub(super) type Answer<E> = Result<<E as Entity>::Reply, Refusal>;

/// A command on its way to its entity.
pub(super) struct Job<E: Entity> {
    pub(super) entity: EntityId,
    pub(super) partition: Partition,
    pub(super) request_id: RequestId,
    pub(super) origin: Origin,
    pub(super) command: E::Command,
    pub(super) source: Option<EntityId>,
    pub(super) traceparent: Option<String>,
    /// The caller's key that this creation belongs to; its entity is drawn by the intake.
    pub(super) creation: Option<super::CreationKey>,
    /// Whether the id was drawn for this command, so that no database can know it.
    pub(super) fresh: bool,
    /// Whether a saga's request that this answers may have been sent more than once.
    pub(super) resent: bool,
    pub(super) route: Route<E>,
    #[expect(
        dead_code,
        reason = "held until the command is answered, then given back by its drop"
    )]
    pub(super) permit: Option<OwnedSemaphorePermit>,
}

/// Where a command came from, and so where its answer goes.
pub(super) enum Route<E: Entity> {
    /// From the stream: the message's sequence and the address of the answer.
    Stream {
        sequence: u64,
        reply_to: Option<Subject>,
    },
    /// From somebody in this process who waits.
    Ask(oneshot::Sender<Answered<E>>),
    /// From the host itself: an alarm, or what came of a call to the outside.
    Own,
}

/// The answer to an ask.
pub(super) struct Answered<E: Entity> {
    /// The answer, durable; `Err` where the database itself refused the command.
    pub(super) answer: Result<Answer<E>, String>,
    /// Tells the answer at rest, where the entity is not yet at rest.
    pub(super) settled: Option<oneshot::Receiver<Answer<E>>>,
}

/// An entity in memory, as the intake and the journal share it.
#[derive(Default)]
pub(super) struct Slot {
    durable: AtomicI64,
    pending: AtomicUsize,
    finished: AtomicBool,
}

impl Slot {
    pub(super) fn at(version: i64) -> Arc<Self> {
        Arc::new(Self {
            durable: AtomicI64::new(version),
            ..Self::default()
        })
    }

    /// The version that is committed.
    pub(super) fn durable(&self) -> i64 {
        self.durable.load(Ordering::Acquire)
    }

    pub(super) fn committed(&self, version: i64) {
        self.durable.store(version, Ordering::Release);
    }

    pub(super) fn finish(&self, finished: bool) {
        self.finished.store(finished, Ordering::Release);
    }

    /// Whether the committed state is at its end.
    pub(super) fn finished(&self) -> bool {
        self.finished.load(Ordering::Acquire)
    }

    /// How many commands are between the intake and the end of their commit.
    pub(super) fn pending(&self) -> usize {
        self.pending.load(Ordering::Acquire)
    }

    pub(super) fn begin(&self) {
        self.pending.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn end(&self) {
        self.pending.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What the ledger knows of a request and of its counterpart.
pub(super) struct Known<C> {
    pub(super) own: Option<(C, Option<Digest>)>,
    pub(super) counterpart: Option<C>,
}

/// A command as its actor gets it.
pub(super) struct Work<E: Entity> {
    pub(super) job: Job<E>,
    pub(super) slot: Arc<Slot>,
    pub(super) known: Known<E::Change>,
    /// The version that was committed when the ledger was asked: what the actor decided up to it
    /// would have been found there.
    pub(super) durable: i64,
    pub(super) digest: Option<Digest>,
    /// The caller's key was used before, with another body.
    pub(super) mismatch: bool,
    pub(super) creation: Option<Creation>,
    pub(super) now: Timestamp,
}

/// One change that was decided.
pub(super) struct Effect {
    pub(super) row: LedgerRow,
    pub(super) event: Option<(&'static str, Vec<u8>)>,
    pub(super) touches: Touch,
}

/// What became of a command: changes, none or some, and an answer that waits for their commit.
pub(super) struct Decision<E: Entity> {
    pub(super) job: Job<E>,
    pub(super) slot: Arc<Slot>,
    pub(super) effects: Vec<Effect>,
    pub(super) creation: Option<Creation>,
    /// The state after the changes.
    pub(super) state: Arc<E>,
    /// `Err` where deciding panicked: a broken invariant.
    pub(super) answer: Result<Answer<E>, String>,
    pub(super) at: Timestamp,
}
