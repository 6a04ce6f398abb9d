//! Reads the stream of a service in order, from the positions that its own database holds.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use messages::{DecodeError, EntityId, Partition, Subject, envelope, wire};
use tokio::sync::{Semaphore, mpsc};

use super::{
    Limits,
    dead::{self, Aside, DeadLetter},
    job::{Job, Route},
    progress::Progress,
    schedule::Schedule,
};
use crate::{
    bus::{Bus, BusFault, Delivery, Start, holds},
    entity::Entity,
    failpoint::{self, Point},
    store::{Position, Standing},
    telemetry::names,
};

/// How long to wait after a failure of the broker.
const PAUSE: Duration = Duration::from_millis(200);

pub(super) struct StreamReader<E: Entity> {
    pub(super) bus: Arc<dyn Bus>,
    pub(super) jobs: mpsc::Sender<Job<E>>,
    pub(super) places: Arc<Semaphore>,
    pub(super) progress: Arc<Mutex<Progress>>,
    pub(super) schedule: Arc<Schedule<E>>,
    pub(super) aside: Arc<Aside>,
    pub(super) limits: Limits,
    pub(super) partitions: u16,
    pub(super) standings: BTreeMap<Partition, Standing>,
    /// The stream that this session reads.
    pub(super) stream_identity: Option<String>,
    /// Set when the reader follows its stream.
    pub(super) following: Arc<std::sync::atomic::AtomicBool>,
}

/// Why the reader ended.
pub(super) enum Stopped {
    /// The intake takes no more.
    Closed,
    /// The stream is not the one that was read: all begins anew from the database.
    Forgotten,
}

impl<E: Entity> StreamReader<E> {
    /// Reads until the intake is closed, or until the broker turns out to have forgotten what was
    /// read in this session.
    pub(super) async fn run(mut self) -> Stopped {
        let mut link = self.bus.link();
        let mut started = false;
        loop {
            let connections = link.borrow_and_update().connections;
            match self.start(started).await {
                Ok(None) => return Stopped::Forgotten,
                Ok(Some(mut reader)) => {
                    started = true;
                    self.follow(true);
                    loop {
                        tokio::select! {
                            // In this order, so that a run under a seed is always the same.
                            biased;
                            // The server may be another one: it does not say so by itself.
                            changed = link.changed() => {
                                if changed.is_err() || link.borrow().connections != connections {
                                    break;
                                }
                            }
                            () = self.jobs.closed() => return Stopped::Closed,
                            chunk = reader.next() => match chunk {
                                Ok(chunk) => {
                                    for delivery in chunk {
                                        if self.take(delivery).await.is_err() {
                                            return Stopped::Closed;
                                        }
                                    }
                                }
                                Err(error) => {
                                    tracing::debug!(%error, "reading starts again");
                                    break;
                                }
                            },
                        }
                    }
                }
                Err(error) => tracing::debug!(%error, "reading waits for the broker"),
            }
            self.follow(false);
            if self.jobs.is_closed() {
                return Stopped::Closed;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Looks where to read on and starts there; `None` where the stream is no longer the one that
    /// this session has read.
    async fn start(
        &mut self,
        again: bool,
    ) -> Result<Option<Box<dyn crate::bus::Reader>>, BusFault> {
        self.bus.ensure_streams().await?;
        let inbox = E::SERVICE.inbox();
        let stream = self.bus.stream(inbox).await?;
        if again {
            // What was taken in but is not committed has no position yet: the session ends where
            // the stream cannot be trusted to go on behind it.
            if self.stream_identity.as_ref() != Some(&stream.identity) {
                return Ok(None);
            }
            let taken = self
                .progress
                .lock()
                .expect("no panic while the progress is locked")
                .taken();
            for (sequence, at) in taken.values() {
                let Some(at) = *at else { continue };
                let last = Position {
                    stream: stream.identity.clone(),
                    sequence: *sequence,
                    at,
                };
                if !holds(&*self.bus, inbox, &stream, &last).await? {
                    return Ok(None);
                }
            }
            let from = taken
                .values()
                .map(|(sequence, _)| *sequence)
                .min()
                .unwrap_or(0)
                + 1;
            return self.read(Start::Sequence(from)).await.map(Some);
        }
        let mut read_to = BTreeMap::new();
        let mut lost_tail = Vec::new();
        let mut start: Option<Start> = None;
        for (partition, standing) in &self.standings {
            let kept = match &standing.inbox {
                None => true,
                Some(position) => holds(&*self.bus, inbox, &stream, position).await?,
            };
            let read = standing
                .inbox
                .as_ref()
                .filter(|_| kept)
                .map(|position| (position.sequence, position.at));
            let sequence = read.map_or(0, |(sequence, _)| sequence);
            read_to.insert(*partition, (sequence, read.map(|(_, at)| at)));
            let here = match &standing.inbox {
                Some(position) if !kept => {
                    tracing::info!(service = %E::SERVICE, %partition, since = %position.at, "the broker forgot messages: reading again from before");
                    if position.stream == stream.identity {
                        lost_tail.push((*partition, position.sequence, position.at));
                    }
                    let back = i64::try_from(self.limits.reread_ms).unwrap_or(i64::MAX);
                    Start::Time(position.at.plus_millis(-back))
                }
                _ => Start::Sequence(sequence + 1),
            };
            start = Some(match (start, here) {
                (None, here) => here,
                (Some(Start::Sequence(a)), Start::Sequence(b)) => Start::Sequence(a.min(b)),
                (Some(Start::Time(a)), Start::Time(b)) => Start::Time(a.min(b)),
                // Sequences and times do not compare: from the first message that is left.
                _ => Start::Sequence(stream.first.max(1)),
            });
        }
        self.stream_identity = Some(stream.identity.clone());
        {
            let mut progress = self
                .progress
                .lock()
                .expect("no panic while the progress is locked");
            progress.start(stream.identity, read_to);
            for (partition, sequence, at) in lost_tail {
                progress.was_decided(partition, sequence, at);
            }
        }
        self.read(start.unwrap_or(Start::Sequence(1)))
            .await
            .map(Some)
    }

    async fn read(&self, start: Start) -> Result<Box<dyn crate::bus::Reader>, BusFault> {
        let subjects = self
            .standings
            .keys()
            .map(|p| E::SERVICE.inbox_subject(*p).to_string())
            .collect();
        self.bus.read(E::SERVICE.inbox(), subjects, start).await
    }

    /// Takes in the envelopes of one message; what cannot be understood is put aside.
    async fn take(&self, delivery: Delivery) -> Result<(), ()> {
        let Ok(subject) = delivery.subject.parse::<Subject>() else {
            return Ok(());
        };
        let partition = subject.partition();
        let pieces = wire::split(&delivery.payload);
        metrics::gauge!(names::READER_BEHIND, "service" => E::SERVICE.name()).set(f64::from(
            u32::try_from(delivery.pending).unwrap_or(u32::MAX),
        ));
        let taken = self
            .progress
            .lock()
            .expect("no panic while the progress is locked")
            .take(partition, delivery.sequence, delivery.at, pieces.len());
        if !taken {
            return Ok(());
        }
        let mut bad = Vec::new();
        for (index, piece) in pieces.into_iter().enumerate() {
            match self.understand(partition, piece) {
                Ok(envelope) => {
                    let (to, id) = (&envelope.entity, &envelope.request_id);
                    if self.aside.has(partition, delivery.sequence, to, id) {
                        self.decided(partition, delivery.sequence);
                        continue;
                    }
                    let permit = Arc::clone(&self.places)
                        .acquire_owned()
                        .await
                        .map_err(drop)?;
                    let resent = self.schedule.may_come_again(
                        &envelope.entity,
                        &envelope.request_id,
                        envelope.source.as_ref(),
                    );
                    let job = Job {
                        partition,
                        fresh: false,
                        resent,
                        creation: None,
                        route: Route::Stream {
                            sequence: delivery.sequence,
                            reply_to: envelope.reply_to,
                        },
                        permit: Some(permit),
                        entity: envelope.entity,
                        request_id: envelope.request_id,
                        origin: envelope.origin,
                        command: envelope.body,
                        source: envelope.source,
                        traceparent: envelope.traceparent,
                    };
                    failpoint::reach(E::SERVICE.name(), Point::Received);
                    self.jobs.send(job).await.map_err(drop)?;
                }
                Err((error, bytes)) => bad.push((index, error, bytes)),
            }
        }
        // The good ones are on their way; the position moves on only when the bad ones are kept.
        for (index, error, bytes) in bad {
            let payload = bytes.map_or_else(
                || delivery.payload.clone(),
                |bytes| wire::join([bytes].into_iter()).into(),
            );
            let letter = DeadLetter {
                service: E::SERVICE,
                partition,
                sequence: delivery.sequence,
                part: index.to_string(),
                reason: error,
                payload,
            };
            dead::bury(&*self.bus, letter).await;
            self.decided(partition, delivery.sequence);
        }
        Ok(())
    }

    fn decided(&self, partition: Partition, sequence: u64) {
        self.progress
            .lock()
            .expect("no panic while the progress is locked")
            .decided(partition, sequence);
    }

    #[expect(
        clippy::type_complexity,
        reason = "the envelope, or why not and its bytes where they can be told apart"
    )]
    fn understand<'a>(
        &self,
        partition: Partition,
        piece: Result<&'a [u8], DecodeError>,
    ) -> Result<envelope::Envelope<E::Command>, (String, Option<&'a [u8]>)> {
        let bytes = piece.map_err(|error| (error.to_string(), None))?;
        let envelope = envelope::decode::<E::Command>(bytes)
            .map_err(|error| (error.to_string(), Some(bytes)))?;
        let home = envelope.entity.partition(self.partitions);
        if home != partition {
            let reason = format!(
                "entity {} lives in partition {home}, not {partition}",
                short(&envelope.entity)
            );
            return Err((reason, Some(bytes)));
        }
        Ok(envelope)
    }

    fn follow(&self, following: bool) {
        self.following
            .store(following, std::sync::atomic::Ordering::Release);
    }
}

fn short(entity: &EntityId) -> &str {
    entity.as_str().get(..64).unwrap_or(entity.as_str())
}
