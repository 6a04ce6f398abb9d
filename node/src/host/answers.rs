//! Answers on their way out: each leaves when everything that it rests on is durable.
//!
//! That of an envelope waits besides until the position behind its message is committed and, where
//! its entity is busy (see [`Entity::settled`]), until that is at rest. It waits in memory alone:
//! what is lost with it is asked for again.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use messages::{
    Body as _, EntityId, Envelope, Origin, Partition, RequestId, Subject, Timestamp, wire,
};

use super::{
    job::{Answer, Answered, Decision, Route},
    lane::{Lanes, Letter},
    watchers::Watchers,
};
use crate::{entity::Entity, telemetry::names};

/// The answers of a session.
pub(super) struct Answers<E: Entity> {
    lanes: Arc<Lanes>,
    watchers: Arc<Watchers<E>>,
    /// How many may wait for busy entities.
    busy_max: usize,
    /// What is committed of each partition's stream.
    committed: BTreeMap<Partition, u64>,
    /// Behind a position that is not committed yet.
    held: BTreeMap<Partition, VecDeque<(u64, Subject, Letter)>>,
    /// Until their entity is at rest.
    busy: BTreeMap<EntityId, Vec<Asked<E>>>,
    busy_count: usize,
}

/// Who asked by an envelope, and where the answer is wanted.
struct Asker {
    entity: EntityId,
    partition: Partition,
    sequence: u64,
    request_id: RequestId,
    origin: Origin,
    from: EntityId,
    reply_to: Subject,
    traceparent: Option<String>,
    at: Timestamp,
}

/// What was asked of a busy entity.
struct Asked<E: Entity> {
    asker: Asker,
    command: E::Command,
}

impl<E: Entity> Answers<E> {
    /// `committed` is what is committed of each partition's stream.
    pub(super) fn new(
        lanes: Arc<Lanes>,
        watchers: Arc<Watchers<E>>,
        busy_max: usize,
        committed: BTreeMap<Partition, u64>,
    ) -> Self {
        Self {
            lanes,
            watchers,
            busy_max,
            committed,
            held: BTreeMap::new(),
            busy: BTreeMap::new(),
            busy_count: 0,
        }
    }

    /// Gives the answer of a decision that is durable, or keeps it until its time has come.
    pub(super) fn give(&mut self, decision: Decision<E>) {
        let job = decision.job;
        let at_rest = !matches!(decision.answer, Ok(Ok(_))) || decision.state.settled();
        match job.route {
            Route::Own => {}
            Route::Ask(asker) => {
                let settled = (!at_rest && !asker.is_closed()).then(|| {
                    self.watchers
                        .settled(&job.entity, job.command, job.request_id)
                });
                // An asker that is gone reads the outcome when it asks again.
                let _ = asker.send(Answered {
                    answer: decision.answer,
                    settled,
                });
            }
            Route::Stream { sequence, reply_to } => {
                let (Some(reply_to), Ok(answer), Some(from)) =
                    (reply_to, decision.answer, job.source)
                else {
                    return;
                };
                let asker = Asker {
                    entity: job.entity,
                    partition: job.partition,
                    sequence,
                    request_id: job.request_id,
                    origin: job.origin,
                    from,
                    reply_to,
                    traceparent: job.traceparent,
                    at: decision.at,
                };
                if at_rest {
                    self.send(asker, answer);
                } else {
                    self.wait(asker, job.command);
                }
            }
        }
    }

    /// An entity's state is committed: answers what has waited for it to be at rest.
    pub(super) fn committed(&mut self, entity: &EntityId, state: &Arc<E>) {
        self.watchers.tell(entity, state);
        if self.busy.is_empty() || !state.settled() {
            return;
        }
        let waiting = self.busy.remove(entity).unwrap_or_default();
        self.busy_count -= waiting.len();
        for Asked { asker, command } in waiting {
            let answer = state.answer_at_rest(&command, &asker.request_id);
            self.send(asker, answer);
        }
    }

    /// A partition's position is committed; what it held is let go by [`Answers::let_held_go`].
    pub(super) fn passed(&mut self, partition: Partition, sequence: u64) {
        self.committed.insert(partition, sequence);
    }

    /// Lets the answers go whose positions are committed.
    pub(super) fn let_held_go(&mut self) {
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

    /// Keeps what was asked of a busy entity; a repeat takes the place of the first. Beyond the
    /// limit it is let go: who asked asks again.
    fn wait(&mut self, asker: Asker, command: E::Command) {
        let waiting = self.busy.entry(asker.entity.clone()).or_default();
        let same = |other: &Asked<E>| {
            other.asker.request_id == asker.request_id && other.asker.from == asker.from
        };
        if let Some(n) = waiting.iter().position(same) {
            waiting[n] = Asked { asker, command };
        } else if self.busy_count < self.busy_max {
            self.busy_count += 1;
            waiting.push(Asked { asker, command });
        } else {
            metrics::counter!(names::LANE_FULL).increment(1);
        }
    }

    fn send(&mut self, asker: Asker, answer: Answer<E>) {
        let Asker {
            entity,
            partition,
            sequence,
            request_id,
            origin,
            from,
            reply_to,
            traceparent,
            at,
        } = asker;
        let request = [request_id.as_str(), "/", entity.as_str()].concat();
        let letter = Letter {
            // One id an outcome: a refusal must not hide the acceptance of a later copy, nor, since
            // the same may be asked anew under its id, another refusal.
            id: match &answer {
                Ok(reply) => format!("{request}/{from}:{}", reply.kind()),
                Err(_) => format!("{request}/{from}:{}@{sequence}", answer.kind()),
            },
            envelope: wire::encode(&Envelope {
                causation: Some(request),
                request_id,
                entity: from,
                source: Some(entity),
                origin,
                reply_to: None,
                traceparent,
                at,
                body: answer,
            })
            .into(),
            sent: None,
        };
        if sequence <= self.committed.get(&partition).copied().unwrap_or(0) {
            self.lanes.put(reply_to, letter);
        } else {
            let held = self.held.entry(partition).or_default();
            let place = held.partition_point(|(other, ..)| *other <= sequence);
            held.insert(place, (sequence, reply_to, letter));
        }
    }
}
