//! What is committed leaves: answers, commands and events, in the order of the commits.
//!
//! Beside the journal, so that a commit does not wait for what the one before it sends. Where it
//! is stopped half way nothing is lost: what is owed is in the database, and is asked for again.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use messages::{EntityId, Envelope, Partition, Subject, wire};
use tokio::sync::mpsc;

use super::{
    dead::Aside,
    job::{Answered, Decision, Route},
    lane::{Lanes, Letter},
    schedule::Schedule,
    telling::Telling,
    turn::{Told, Touched},
    watchers::Watchers,
};
use crate::{entity::Entity, store::PositionWrite, telemetry::names};

/// What one commit made durable.
pub(super) struct Durable<E: Entity> {
    pub(super) touched: BTreeMap<EntityId, Touched<E>>,
    pub(super) told: Vec<Told>,
    pub(super) decisions: Vec<Decision<E>>,
    pub(super) positions: Vec<PositionWrite>,
}

// By hand, since the derived one would ask the same of `E`.
impl<E: Entity> Default for Durable<E> {
    fn default() -> Self {
        Self {
            touched: BTreeMap::new(),
            told: Vec::new(),
            decisions: Vec::new(),
            positions: Vec::new(),
        }
    }
}

/// What the publisher works with.
pub(super) struct Publisher<E: Entity> {
    pub(super) durable: mpsc::UnboundedReceiver<Durable<E>>,
    pub(super) aside: Arc<Aside>,
    pub(super) lanes: Arc<Lanes>,
    pub(super) schedule: Arc<Schedule<E>>,
    pub(super) telling: Arc<Telling>,
    pub(super) watchers: Arc<Watchers<E>>,
    /// The positions that are committed.
    pub(super) committed: BTreeMap<Partition, u64>,
    /// Answers that wait until the position behind their message is committed.
    pub(super) held: BTreeMap<Partition, VecDeque<(u64, Subject, Letter)>>,
}

impl<E: Entity> Publisher<E> {
    /// Publishes until the journal is gone.
    pub(super) async fn run(mut self) {
        while let Some(durable) = self.durable.recv().await {
            self.publish(durable);
        }
    }

    fn publish(&mut self, durable: Durable<E>) {
        self.passed(&durable.positions);
        for touched in durable.touched.values() {
            touched.slot.finish(touched.state.finished());
        }
        for decision in durable.decisions {
            let slot = Arc::clone(&decision.slot);
            self.answer(decision);
            slot.end();
        }
        for (entity, touched) in durable.touched {
            self.watchers.tell(&entity, &touched.state);
            self.schedule
                .update(&entity, touched.owes, touched.alarm, false);
        }
        for (kind, _) in durable.told.iter().filter_map(|told| told.event.as_ref()) {
            metrics::counter!(names::EVENTS, "kind" => *kind).increment(1);
        }
        self.telling.tell(durable.told);
        self.let_held_go();
    }

    /// These positions are committed.
    fn passed(&mut self, positions: &[PositionWrite]) {
        for write in positions {
            let (partition, sequence) = (write.partition, write.position.sequence);
            self.committed.insert(partition, sequence);
            self.aside.passed(partition, sequence);
        }
    }

    /// Lets the answers go whose positions are committed.
    fn let_held_go(&mut self) {
        for (partition, held) in &mut self.held {
            let committed = self.committed.get(partition).copied().unwrap_or(0);
            while held
                .front()
                .is_some_and(|(sequence, ..)| *sequence <= committed)
            {
                let (_, subject, letter) = held.pop_front().expect("there is a front");
                self.lanes.put(subject, letter);
            }
        }
    }

    fn answer(&mut self, decision: Decision<E>) {
        let job = decision.job;
        match job.route {
            Route::Alarm => {}
            Route::Ask(asker) => {
                let at_rest = !matches!(decision.answer, Ok(Ok(_))) || decision.state.settled();
                let settled =
                    (!at_rest && !asker.is_closed()).then(|| self.watchers.settled(&job.entity));
                // An asker that is gone reads the outcome when it asks again.
                let _ = asker.send(Answered {
                    answer: decision.answer,
                    settled,
                });
            }
            Route::Stream { sequence, reply_to } => {
                let (Some(subject), Ok(answer), Some(to)) = (reply_to, decision.answer, job.source)
                else {
                    return;
                };
                let body_kind = messages::Body::kind(&answer);
                let letter = Letter {
                    // One id an outcome: a refusal must not hide the acceptance of a later copy.
                    id: format!("{}/{}/{to}:{body_kind}", job.request_id, job.entity),
                    envelope: wire::encode(&Envelope {
                        causation: Some(format!("{}/{}", job.request_id, job.entity)),
                        request_id: job.request_id,
                        entity: to,
                        source: Some(job.entity),
                        origin: job.origin,
                        reply_to: None,
                        traceparent: job.traceparent,
                        at: decision.at,
                        body: answer,
                    })
                    .into(),
                    sent: None,
                };
                if sequence <= self.committed.get(&job.partition).copied().unwrap_or(0) {
                    self.lanes.put(subject, letter);
                } else {
                    let held = self.held.entry(job.partition).or_default();
                    let place = held.partition_point(|(other, ..)| *other <= sequence);
                    held.insert(place, (sequence, subject, letter));
                }
            }
        }
    }
}
