//! The journal: the group commit of one service in one process.
//!
//! Whatever waits is committed together with the positions behind it, and only then handed to the
//! publisher. Yes, no and read alike pass a turn: an answer rests on everything that was decided
//! before it. Read next: [`super::publisher`], which lets it go.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use messages::{Envelope, Partition, wire};
use tokio::{sync::mpsc, time::Instant};

use super::{
    Limits,
    dead::{self, Aside, DeadLetter},
    fairness::Fairness,
    job::{Answered, Decision, Route},
    progress::Progress,
    publisher::Durable,
    share::Share,
    telling::Telling,
    turn::{self, Turn},
};
use crate::{
    bus::Bus,
    entity::Entity,
    failpoint::{self, Point},
    store::{Batch, CommitError, PositionWrite, StoreFault, Writer},
    telemetry::names,
};

/// How often ownership is looked at, and shown to the database as alive.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why a journal ended.
#[derive(Debug)]
pub(super) enum End {
    /// Everything that had come is committed.
    Finished,
    /// So many of the partitions are due instead.
    Rebalance(u16),
    /// Something failed: all is loaded again from the database.
    Fault(String),
    /// The database refused a batch: all is loaded again, and so many decisions go one at a time.
    Careful(usize),
}

/// What the journal works with.
pub(super) struct Journal<E: Entity> {
    pub(super) writer: Box<dyn Writer>,
    pub(super) decisions: mpsc::UnboundedReceiver<Decision<E>>,
    pub(super) numbers: BTreeMap<Partition, i64>,
    pub(super) progress: Arc<Mutex<Progress>>,
    pub(super) aside: Arc<Aside>,
    pub(super) telling: Arc<Telling>,
    /// The publisher's end, which takes what is committed.
    pub(super) durable: mpsc::UnboundedSender<Durable<E>>,
    pub(super) bus: Arc<dyn Bus>,
    pub(super) limits: Limits,
    pub(super) partitions: u16,
    pub(super) share: Share,
    /// How many decisions are committed one at a time, after the database refused a batch.
    pub(super) careful: usize,
    /// Raised when nothing more will come.
    pub(super) finish: Arc<tokio::sync::Notify>,
}

impl<E: Entity> Journal<E> {
    /// Commits until the last sender of decisions is gone, or something fails. The writer comes
    /// back only where its locks may be kept.
    pub(super) async fn run(mut self) -> (End, Option<Box<dyn Writer>>) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut waiting = Vec::with_capacity(self.limits.batch_max);
        let finish = Arc::clone(&self.finish);
        let mut fairness = Fairness::default();
        loop {
            let most = if self.careful > 0 {
                1
            } else {
                self.limits.batch_max
            };
            let result = tokio::select! {
                // Ownership first: a load that never pauses must not keep it from being looked at.
                biased;
                _ = look.tick() => self.look().await,
                n = self.decisions.recv_many(&mut waiting, most) => match n {
                    0 => return self.finished().await,
                    n => {
                        self.careful = self.careful.saturating_sub(n);
                        let turn = self.turn(&mut waiting).await;
                        if turn.is_ok() && fairness.others_first(n) {
                            tokio::task::yield_now().await;
                        }
                        turn
                    }
                },
                () = finish.notified() => return self.finished().await,
            };
            match result {
                Ok(()) => waiting.clear(),
                Err(End::Rebalance(due)) => return (End::Rebalance(due), Some(self.writer)),
                Err(End::Careful(_)) => {
                    let left =
                        waiting.len() + self.decisions.len() + self.careful + self.limits.batch_max;
                    return (End::Careful(left), None);
                }
                Err(end) => return (end, None),
            }
        }
    }

    async fn finished(mut self) -> (End, Option<Box<dyn Writer>>) {
        match self.commit_marks().await {
            Ok(()) => (End::Finished, Some(self.writer)),
            Err(end) => (end, None),
        }
    }

    async fn turn(&mut self, decisions: &mut Vec<Decision<E>>) -> Result<(), End> {
        let begun = Instant::now();
        metrics::histogram!(names::JOURNAL_BATCH, "service" => E::SERVICE.name())
            .record(to_f64(decisions.len()));
        let mut numbers = self.numbers.clone();
        let mut turn =
            turn::fold(decisions, &mut numbers).map_err(|error| End::Fault(error.to_string()))?;
        for decision in decisions.iter() {
            if let Route::Stream { sequence, .. } = decision.job.route {
                if let Err(panic) = &decision.answer {
                    self.bury(decision, sequence, format!("deciding panicked: {panic}"))
                        .await;
                }
                self.lock_progress()
                    .decided(decision.job.partition, sequence);
            }
        }
        let positions = self.lock_progress().moved();
        turn.batch.positions.clone_from(&positions);
        turn.batch.positions.extend(self.telling.marks());
        match self.commit(&turn).await {
            Ok(()) => {}
            Err(CommitError::Refused(reason)) => {
                return Err(self.refused(decisions, positions, reason).await);
            }
            Err(error) => return Err(End::Fault(error.to_string())),
        }
        failpoint::reach(E::SERVICE.name(), Point::Committed);
        self.numbers = numbers;
        metrics::histogram!(names::STAGE, "stage" => "commit", "service" => E::SERVICE.name())
            .record(begun.elapsed());
        // Before the next turn, which goes on from these versions.
        for touched in turn.touched.values() {
            touched.slot.committed(touched.version);
        }
        let next = Vec::with_capacity(decisions.len());
        self.publish(Durable {
            touched: turn.touched,
            told: turn.told,
            decisions: std::mem::replace(decisions, next),
            positions,
        });
        Ok(())
    }

    async fn commit(&mut self, turn: &Turn<E>) -> Result<(), CommitError> {
        failpoint::reach(E::SERVICE.name(), Point::Committing);
        self.write(&turn.batch).await
    }

    /// Writes a batch, or makes sure of being the owner where it is empty; not for ever.
    async fn write(&mut self, batch: &Batch) -> Result<(), CommitError> {
        let wait = self.limits.commit_wait();
        let outcome = if batch.is_empty() {
            tokio::time::timeout(wait, self.writer.confirm())
                .await
                .map(|r| r.map_err(CommitError::from))
        } else {
            tokio::time::timeout(wait, self.writer.commit(batch)).await
        };
        outcome.unwrap_or_else(|_| {
            Err(StoreFault::Unreachable("the commit took too long".into()).into())
        })
    }

    /// The database refused a batch. One decision alone is put aside; several are tried again one
    /// at a time, after everything has been loaded anew.
    async fn refused(
        &mut self,
        decisions: &mut Vec<Decision<E>>,
        positions: Vec<PositionWrite>,
        reason: String,
    ) -> End {
        if decisions.len() > 1 {
            tracing::warn!(
                reason,
                decisions = decisions.len(),
                "the database refuses a batch: one at a time"
            );
            return End::Careful(0);
        }
        let Some(decision) = decisions.pop() else {
            return End::Fault(reason);
        };
        if let Route::Stream { sequence, .. } = decision.job.route {
            self.bury(
                &decision,
                sequence,
                format!("the database refuses it: {reason}"),
            )
            .await;
            let batch = Batch {
                positions,
                ..Batch::default()
            };
            let job = &decision.job;
            self.aside
                .put(job.partition, sequence, &job.entity, &job.request_id);
            if let Err(error) = self.write(&batch).await {
                return End::Fault(error.to_string());
            }
        } else if let Route::Ask(asker) = decision.job.route {
            tracing::warn!(reason, entity = %decision.job.entity, "the database refuses a command");
            let _ = asker.send(Answered {
                answer: Err(reason),
                settled: None,
            });
        }
        End::Careful(0)
    }

    async fn bury(&self, decision: &Decision<E>, sequence: u64, reason: String) {
        let job = &decision.job;
        let envelope = wire::encode(&Envelope {
            request_id: job.request_id.clone(),
            entity: job.entity.clone(),
            source: job.source.clone(),
            origin: job.origin,
            reply_to: if let Route::Stream { reply_to, .. } = &job.route {
                *reply_to
            } else {
                None
            },
            causation: None,
            traceparent: job.traceparent.clone(),
            at: decision.at,
            body: job.command.clone(),
        });
        let payload = wire::join([&envelope[..]].into_iter()).into();
        let letter = DeadLetter {
            service: E::SERVICE,
            partition: job.partition,
            sequence,
            part: format!("{}/{}", job.request_id, job.entity),
            reason,
            payload,
        };
        dead::bury(&*self.bus, letter).await;
    }

    /// Shows the database that this owner lives, and looks whether it should own more or less.
    async fn look(&mut self) -> Result<(), End> {
        self.commit_marks().await?;
        let wanted = async {
            let members = self.writer.members().await?;
            let free = self.writer.free(self.partitions).await?;
            let owned = u16::try_from(self.numbers.len()).unwrap_or(u16::MAX);
            let wants = self.share.wants(owned, free, members);
            self.writer.want(wants).await?;
            Ok::<_, StoreFault>(self.share.due(owned, free, members))
        };
        match tokio::time::timeout(self.limits.commit_wait(), wanted).await {
            Ok(Ok(None)) => Ok(()),
            Ok(Ok(Some(due))) => Err(End::Rebalance(due)),
            Ok(Err(error)) => Err(End::Fault(error.to_string())),
            Err(_) => Err(End::Fault("the database does not answer".into())),
        }
    }

    /// Keeps how far the stream has been decided and events have been told, where no other commit
    /// has taken it along.
    async fn commit_marks(&mut self) -> Result<(), End> {
        let moved = self.lock_progress().moved();
        let mut positions = moved.clone();
        positions.extend(self.telling.marks());
        let batch = Batch {
            positions,
            ..Batch::default()
        };
        match self.write(&batch).await {
            Ok(()) => {
                self.publish(Durable {
                    positions: moved,
                    ..Durable::default()
                });
                Ok(())
            }
            Err(error) => Err(End::Fault(error.to_string())),
        }
    }

    fn publish(&self, durable: Durable<E>) {
        // The publisher is gone when the session has ended: the next one finds what is owed.
        let _ = self.durable.send(durable);
    }

    fn lock_progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.progress
            .lock()
            .expect("no panic while the progress is locked")
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for a histogram")]
fn to_f64(n: usize) -> f64 {
    n as f64
}
