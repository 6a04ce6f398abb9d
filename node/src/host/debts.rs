//! What one entity owes: what its state says of it, and how far each piece of it is.

use std::{sync::Arc, time::Duration};

use messages::{
    Body as _, EntityId, Envelope, Origin, Partition, RequestId, Subject, Timestamp, wire,
};

use tokio::time::Instant;

use super::{
    calls::Owing,
    lane::{Letter, Sent},
};
use crate::{
    entity::{Entity, Outgoing},
    outside::Call,
};

/// All that a state owes.
pub(super) struct Debts<E: Entity> {
    pub(super) owes: Vec<Outgoing>,
    pub(super) calls: Vec<Call>,
    pub(super) alarm: Option<(Timestamp, E::Command)>,
}

impl<E: Entity> Debts<E> {
    pub(super) fn of(state: &E) -> Self {
        Self {
            owes: state.owes(),
            calls: state.calls(),
            alarm: state.alarm(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.owes.is_empty() && self.calls.is_empty() && self.alarm.is_none()
    }
}

// By hand, since the derived one would ask the same of `E`.
impl<E: Entity> Default for Debts<E> {
    fn default() -> Self {
        Self {
            owes: Vec::new(),
            calls: Vec::new(),
            alarm: None,
        }
    }
}

/// What is on its way of an entity's debts.
pub(super) struct Owed<E: Entity> {
    pub(super) items: Vec<Item>,
    pub(super) calls: Vec<Pending<E>>,
    pub(super) alarm: Option<(Timestamp, E::Command)>,
}

/// A command that is owed, as it is sent each time.
pub(super) struct Item {
    pub(super) request_id: RequestId,
    pub(super) target: EntityId,
    kind: &'static str,
    again: u32,
    pub(super) subject: Subject,
    id: String,
    envelope: Arc<[u8]>,
    pub(super) sent: Arc<Sent>,
    pub(super) pause: Duration,
    /// Whether an earlier life may have sent it.
    pub(super) recovered: bool,
    /// When it was answered, where it had been sent once: what is decided on that is under way.
    pub(super) answered: Option<Instant>,
}

/// A call that is owed, and the pause until it is made again.
pub(super) struct Pending<E: Entity> {
    pub(super) owing: Owing<E>,
    pub(super) pause: Duration,
}

// By hand, since the derived one would ask the same of `E`.
impl<E: Entity> Default for Owed<E> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            calls: Vec::new(),
            alarm: None,
        }
    }
}

impl Item {
    /// `recovered` says that an earlier life may have sent it already.
    pub(super) fn new<E: Entity>(
        entity: &EntityId,
        outgoing: Outgoing,
        recovered: bool,
        partitions: u16,
        now: Timestamp,
        pause: Duration,
    ) -> Self {
        let partition: Partition = outgoing.entity.partition(partitions);
        let envelope = Envelope {
            request_id: outgoing.request_id.clone(),
            entity: outgoing.entity.clone(),
            source: Some(entity.clone()),
            origin: Origin::Saga,
            reply_to: Some(Subject::Reply(E::SERVICE, entity.partition(partitions))),
            causation: Some(format!("{}/{entity}", E::SERVICE)),
            traceparent: outgoing.traceparent,
            at: now,
            body: outgoing.body,
        };
        Self {
            id: match outgoing.again {
                0 => [outgoing.request_id.as_str(), "/", outgoing.entity.as_str()].concat(),
                n => format!("{}/{}+{n}", outgoing.request_id, outgoing.entity),
            },
            again: outgoing.again,
            kind: envelope.body.kind(),
            request_id: outgoing.request_id,
            target: outgoing.entity,
            subject: outgoing.service.inbox_subject(partition),
            envelope: wire::encode(&envelope).into(),
            sent: Arc::new(if recovered {
                Sent::before()
            } else {
                Sent::default()
            }),
            pause,
            recovered,
            answered: None,
        }
    }

    /// Whether this is what a state says it owes.
    pub(super) fn is(&self, outgoing: &Outgoing) -> bool {
        self.request_id == outgoing.request_id
            && self.target == outgoing.entity
            && self.kind == outgoing.body.kind()
            && self.again == outgoing.again
    }

    pub(super) fn letter(&self) -> Letter {
        Letter {
            id: self.id.clone(),
            envelope: Arc::clone(&self.envelope),
            sent: Some(Arc::clone(&self.sent)),
        }
    }
}
