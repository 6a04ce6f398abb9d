//! Tells events from the ledger, in its order.
//!
//! What was just committed is told from memory; where that is not whole (a start, a full queue, a
//! broker that forgot) the ledger is read. An event may be told twice, under the same id.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use messages::{Event, Partition, event, subject};

use super::{Host, Limits, telling::Queue, turn::Told};
use crate::{
    bus::{Acknowledgement, Bus, BusFault, Outbound},
    entity::Entity,
    failpoint::{self, Point},
    seams::Clock,
    store::{LedgerRow, Mark, Position, PositionWrite, Standing, Store, StoreFault},
};

/// How many ledger rows are read at once to catch up.
const CATCH_UP_ROWS: u32 = 500;
/// For how many rounds events are sent by themselves when a row of them was broken: where other
/// processes tell theirs at the same time it would break again.
const ALONE_ROUNDS: u32 = 100;
/// How long to wait after a failure.
const PAUSE: Duration = Duration::from_millis(200);

/// Tells the events of the owned partitions.
pub(super) struct Teller<E: Entity> {
    bus: Arc<dyn Bus>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    queue: Queue,
    /// The number of the last ledger row that has been told, and where in the stream.
    partitions: BTreeMap<Partition, (i64, Option<Position>)>,
    /// The numbers up to which the ledger is to be read first.
    behind: BTreeMap<Partition, i64>,
    /// For how many rounds events are still sent by themselves.
    alone: u32,
    stream: String,
    entity: std::marker::PhantomData<E>,
}

/// A row's partition and number, and its event's acknowledgement where it makes one.
type UnderWay = (Partition, i64, Option<Acknowledgement>);

/// Why telling stopped for now.
enum Pause {
    Broker(BusFault),
    Store(StoreFault),
}

impl<E: Entity> Teller<E> {
    /// Takes from the queue; each partition goes on where it stands.
    pub(super) fn new(
        queue: Queue,
        host: &Host,
        store: Arc<dyn Store>,
        standings: &BTreeMap<Partition, Standing>,
    ) -> Self {
        let partitions = standings
            .iter()
            .map(|(partition, standing)| {
                let (number, position) = standing
                    .events
                    .clone()
                    .map_or((0, None), |(n, p)| (n, Some(p)));
                (*partition, (number, position))
            })
            .collect();
        let behind = standings
            .iter()
            .map(|(partition, standing)| (*partition, standing.number))
            .collect();
        Self {
            queue,
            bus: Arc::clone(&host.bus),
            store,
            clock: Arc::clone(&host.clock),
            limits: host.limits.clone(),
            partitions,
            behind,
            alone: 0,
            stream: String::new(),
            entity: std::marker::PhantomData,
        }
    }

    /// Tells until the journal is gone.
    pub(super) async fn run(mut self) {
        let mut link = self.bus.link();
        let mut checked = None;
        let mut said = String::new();
        let mut pending: Vec<Told> = Vec::new();
        loop {
            let connection = link.borrow_and_update().connections;
            let result = self.round(&mut checked, connection, &mut pending).await;
            if let Err(pause) = result {
                match pause {
                    Pause::Broker(error) => tracing::debug!(%error, "events wait for the broker"),
                    Pause::Store(error) => {
                        let error = error.to_string();
                        if said != error {
                            tracing::warn!(error, "events wait for the database");
                            said = error;
                        }
                    }
                }
                checked = None;
                if self.queue.told.is_closed() {
                    return;
                }
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            said.clear();
            let mut batches = Vec::new();
            tokio::select! {
                // In this order, so that a run under a seed is always the same.
                biased;
                changed = link.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                n = self.queue.told.recv_many(&mut batches, 64) => {
                    if n == 0 {
                        return;
                    }
                    self.gather(&mut batches).await;
                    pending = batches.into_iter().flatten().collect();
                }
                () = self.queue.let_go.some.notified() => {}
            }
        }
    }

    /// Waits a little for what else is committed. Nobody waits for an event as a customer does for
    /// an answer, and each one that leaves alone wakes this task, the broker and every reader.
    async fn gather(&mut self, batches: &mut Vec<Vec<Told>>) {
        let many = |batches: &[Vec<Told>], max| batches.iter().map(Vec::len).sum::<usize>() >= max;
        if self.limits.events_gather_ms == 0 || many(batches, self.limits.events_in_flight_max) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(self.limits.events_gather_ms)).await;
        while !many(batches, self.limits.events_in_flight_max)
            && let Ok(batch) = self.queue.told.try_recv()
        {
            batches.push(batch);
        }
    }

    async fn round(
        &mut self,
        checked: &mut Option<u64>,
        connection: u64,
        pending: &mut Vec<Told>,
    ) -> Result<(), Pause> {
        if *checked != Some(connection) {
            self.bus.ensure_streams().await.map_err(Pause::Broker)?;
            self.check().await?;
            *checked = Some(connection);
        }
        for (partition, number) in self.queue.let_go.take() {
            let behind = self.behind.entry(partition).or_default();
            *behind = (*behind).max(number);
        }
        let partitions: Vec<Partition> = self.partitions.keys().copied().collect();
        for partition in partitions {
            self.catch_up(partition).await?;
        }
        if pending.is_empty() {
            return Ok(());
        }
        // What does not follow the last row told was let go on the way: the ledger has it.
        let told: Vec<Told> = std::mem::take(pending);
        let count = told.len();
        let mut next: BTreeMap<Partition, i64> = self
            .partitions
            .iter()
            .map(|(p, (n, _))| (*p, n + 1))
            .collect();
        let mut follow = Vec::with_capacity(told.len());
        for one in told {
            let Some(expected) = next.get_mut(&one.partition) else {
                continue;
            };
            if one.number == *expected {
                *expected += 1;
                follow.push(one);
            } else if one.number > *expected {
                let behind = self.behind.entry(one.partition).or_default();
                *behind = (*behind).max(one.number);
            }
        }
        let in_a_row = self.alone == 0;
        let result = if in_a_row {
            self.publish_in_a_row(follow).await
        } else {
            self.alone -= 1;
            self.publish(follow).await
        };
        self.queue.waiting.fetch_sub(count, Ordering::AcqRel);
        if let Err(pause) = result {
            // All that was taken from the queue is read from the ledger instead.
            for (partition, number) in next {
                let behind = self.behind.entry(partition).or_default();
                *behind = (*behind).max(number - 1);
            }
            if !in_a_row {
                return Err(pause);
            }
            tracing::debug!("a row of events was broken: they are told by themselves");
            self.alone = ALONE_ROUNDS;
        }
        let partitions: Vec<Partition> = self.partitions.keys().copied().collect();
        for partition in partitions {
            self.catch_up(partition).await?;
        }
        Ok(())
    }

    /// Looks whether the stream still has the last event told; goes back where it has not.
    async fn check(&mut self) -> Result<(), Pause> {
        let stream = self
            .bus
            .stream(subject::EVENTS.0)
            .await
            .map_err(Pause::Broker)?;
        let partitions: Vec<Partition> = self.partitions.keys().copied().collect();
        for partition in partitions {
            let (number, position) = self.partitions[&partition].clone();
            let Some(position) = position else { continue };
            let since = if position.stream == stream.identity {
                let expired = position.sequence < stream.first;
                let kept = position.sequence <= stream.last
                    && self
                        .bus
                        .message(subject::EVENTS.0, position.sequence)
                        .await
                        .map_err(Pause::Broker)?
                        .is_some_and(|message| {
                            message.at == position.at
                                || message.headers.iter().any(|(name, value)| {
                                    name.eq_ignore_ascii_case("Nats-Msg-Id")
                                        && value
                                            .starts_with(&format!("{}-{partition}-", E::SERVICE))
                                })
                        });
                if expired || kept {
                    continue;
                }
                position
                    .at
                    .plus_millis(-i64::try_from(self.limits.reread_ms).unwrap_or(i64::MAX))
            } else {
                self.clock
                    .now()
                    .plus_millis(-i64::try_from(self.limits.events_age_ms).unwrap_or(i64::MAX))
            };
            let back = self
                .store
                .number_before(partition, since)
                .await
                .map_err(Pause::Store)?
                .min(number);
            tracing::info!(service = %E::SERVICE, %partition, from = back + 1, to = number, "the broker forgot events: telling them again");
            self.partitions.insert(partition, (back, None));
            let behind = self.behind.entry(partition).or_default();
            *behind = (*behind).max(number);
        }
        self.stream = stream.identity;
        Ok(())
    }

    /// Tells from the ledger until the partition is no longer behind.
    async fn catch_up(&mut self, partition: Partition) -> Result<(), Pause> {
        while self
            .behind
            .get(&partition)
            .is_some_and(|to| *to > self.partitions[&partition].0)
        {
            let from = self.partitions[&partition].0;
            let rows = self
                .store
                .ledger(partition, from, CATCH_UP_ROWS)
                .await
                .map_err(Pause::Store)?;
            if rows.is_empty() {
                break;
            }
            self.publish(rows.into_iter().map(told_of::<E>).collect())
                .await?;
        }
        self.behind.remove(&partition);
        Ok(())
    }

    /// Publishes rows that were never published before, with one acknowledgement for many, and moves
    /// the marks. Where that fails the marks stay before all that it would have spoken for.
    async fn publish_in_a_row(&mut self, rows: Vec<Told>) -> Result<(), Pause> {
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let chunk: Vec<Told> = rows
                .by_ref()
                .take(self.limits.events_in_flight_max)
                .collect();
            let mut numbers = Vec::with_capacity(chunk.len());
            let mut messages = Vec::with_capacity(chunk.len());
            for row in chunk {
                numbers.push((row.partition, row.number, row.event.is_some()));
                messages.extend(message::<E>(row));
            }
            let mut behind = messages.len() as u64;
            let last = if messages.is_empty() {
                0
            } else {
                let ack = self.bus.send_in_a_row(messages).await;
                ack.map_err(Pause::Broker)?.await.map_err(Pause::Broker)?
            };
            for (partition, number, event) in &numbers {
                let sequence = event.then(|| {
                    behind -= 1;
                    last.saturating_sub(behind)
                });
                self.told(*partition, *number, sequence);
            }
            self.mark(
                numbers
                    .into_iter()
                    .map(|(partition, ..)| partition)
                    .collect(),
            );
        }
        Ok(())
    }

    /// Publishes rows in their order, many on their way at once, and moves the marks.
    async fn publish(&mut self, rows: Vec<Told>) -> Result<(), Pause> {
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let mut under_way = Vec::new();
            for row in rows.by_ref().take(self.limits.events_in_flight_max) {
                let (partition, number) = (row.partition, row.number);
                let ack = match message::<E>(row) {
                    Some(message) => Some(self.bus.send(message).await.map_err(Pause::Broker)?),
                    None => None,
                };
                under_way.push((partition, number, ack));
            }
            let partitions: BTreeSet<Partition> = under_way.iter().map(|one| one.0).collect();
            let result = self.acknowledged(under_way).await;
            self.mark(partitions);
            result?;
        }
        Ok(())
    }

    /// Waits for acknowledgements in the order of the rows; what came before a failure counts.
    async fn acknowledged(&mut self, under_way: Vec<UnderWay>) -> Result<(), Pause> {
        for (partition, number, ack) in under_way {
            let sequence = match ack {
                Some(ack) => Some(ack.await.map_err(Pause::Broker)?),
                None => None,
            };
            self.told(partition, number, sequence);
        }
        Ok(())
    }

    /// A row is told: the stream has its event, where it makes one.
    fn told(&mut self, partition: Partition, number: i64, sequence: Option<u64>) {
        failpoint::reach(E::SERVICE.name(), Point::Told);
        let (last, position) = self.partitions.entry(partition).or_default();
        *last = number;
        if let Some(sequence) = sequence {
            *position = Some(Position {
                stream: self.stream.clone(),
                sequence,
                at: self.clock.now(),
            });
        }
    }

    /// Notes for the next commit how far these partitions have been told.
    fn mark(&self, partitions: BTreeSet<Partition>) {
        let mut marks = self
            .queue
            .marks
            .lock()
            .expect("no panic while the marks are locked");
        for partition in partitions {
            if let Some((number, Some(position))) = self.partitions.get(&partition) {
                let write = PositionWrite {
                    mark: Mark::Events,
                    partition,
                    position: position.clone(),
                    number: *number,
                };
                marks.insert(partition, write);
            }
        }
    }
}

/// The message that tells a row; `None` where it makes no event.
fn message<E: Entity>(row: Told) -> Option<Outbound> {
    let (kind, body) = row.event?;
    let id = event::id(E::SERVICE, row.partition, row.number);
    let event = Event {
        v: 1,
        kind: kind.to_owned(),
        id: id.clone(),
        entity: row.entity,
        version: row.version,
        at: row.at,
        body: (),
    };
    failpoint::reach(E::SERVICE.name(), Point::Telling);
    Some(Outbound {
        subject: subject::event(kind),
        id,
        headers: Vec::new(),
        payload: event.with_body(&body).into(),
    })
}

fn told_of<E: Entity>(row: LedgerRow) -> Told {
    let event = match serde_json::from_str::<E::Change>(&row.body) {
        Ok(change) => E::event(&row.entity, &change),
        Err(error) => {
            tracing::error!(%error, entity = %row.entity, version = row.version, "a ledger row cannot be read: its event is left out");
            None
        }
    };
    Told {
        partition: row.partition,
        number: row.number,
        entity: row.entity,
        version: row.version,
        at: row.at,
        event,
    }
}
