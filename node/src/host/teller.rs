//! Tells events from the ledger, in its order.
//!
//! What was just committed is told from memory; where that is not whole (a start, a full queue, a
//! broker that forgot) the ledger is read. An event may be told twice, under the same id. Read next:
//! [`publishing`].

mod publishing;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use messages::{Partition, subject};

use super::{Host, Limits, telling::Queue, turn::Told};
use crate::{
    bus::{Bus, BusFault},
    entity::Entity,
    seams::Clock,
    store::{LedgerRow, Position, Standing, Store, StoreFault},
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
            self.fall_behind(partition, number);
        }
        self.catch_all_up().await?;
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
                self.fall_behind(one.partition, one.number);
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
                self.fall_behind(partition, number - 1);
            }
            if !in_a_row {
                return Err(pause);
            }
            tracing::debug!("a row of events was broken: they are told by themselves");
            self.alone = ALONE_ROUNDS;
        }
        self.catch_all_up().await
    }

    /// Notes that the ledger is to be read up to this row first.
    fn fall_behind(&mut self, partition: Partition, number: i64) {
        let behind = self.behind.entry(partition).or_default();
        *behind = (*behind).max(number);
    }

    async fn catch_all_up(&mut self) -> Result<(), Pause> {
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
            self.fall_behind(partition, number);
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
