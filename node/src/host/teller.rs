//! Tells events from the ledger, in its order.
//!
//! What was just committed is told from memory; where that is not whole (a start, a full queue, a
//! broker that forgot) the ledger is read. An event may be told twice, under the same id.
//!
//! Invariant: no mark moves over what the broker may have forgotten. So a row counts as told only where
//! its acknowledgement came over a connection on which the stream was seen to have those before it.
//! Read next: [`publishing`], [`parcels`], [`reach`].

mod parcels;
mod publishing;
mod reach;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use messages::{Partition, Timestamp, event, subject};

use self::reach::Reach;
use super::{Host, Limits, telling::Queue, turn::Told};
use crate::{
    bus::{Bus, BusFault, StreamState},
    entity::Entity,
    seams::Clock,
    store::{LedgerRow, Standing, Store, StoreFault},
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
    partitions: BTreeMap<Partition, Reach>,
    /// The numbers up to which the ledger is to be read first: whatever was handed over and is not
    /// told is among these rows, so that what leaves in a row never did before.
    behind: BTreeMap<Partition, i64>,
    /// For how many rounds events are still sent by themselves.
    alone: u32,
    /// The connection on which the stream was seen to have all that was told.
    checked: Option<u64>,
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
            .map(|(partition, standing)| (*partition, Reach::new(standing)))
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
            checked: None,
            stream: String::new(),
            entity: std::marker::PhantomData,
        }
    }

    /// Tells until the journal is gone.
    pub(super) async fn run(mut self) {
        let mut link = self.bus.link();
        let mut said = String::new();
        let mut pending: Vec<Told> = Vec::new();
        loop {
            link.mark_unchanged();
            if let Err(pause) = self.round(&mut pending).await {
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
                self.checked = None;
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

    async fn round(&mut self, pending: &mut Vec<Told>) -> Result<(), Pause> {
        self.check().await?;
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
            .map(|(partition, reach)| (*partition, reach.number + 1))
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
            if let Pause::Broker(error) = pause {
                tracing::debug!(%error, "a row of events was broken: they are told by themselves");
            }
            self.alone = ALONE_ROUNDS;
            // It may be broken since the broker forgot the end of the one before.
            self.checked = None;
            self.check().await?;
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

    /// Looks, where this connection has not been looked at, whether the stream still has the newest
    /// event of each partition; goes back where it has not.
    async fn check(&mut self) -> Result<(), Pause> {
        // Asked first: what is made anew meanwhile is to be looked at once more.
        let connection = self.bus.connection();
        if self.checked == Some(connection) {
            return Ok(());
        }
        self.bus.ensure_streams().await.map_err(Pause::Broker)?;
        let stream = self
            .bus
            .stream(subject::EVENTS.0)
            .await
            .map_err(Pause::Broker)?;
        let partitions: Vec<Partition> = self.partitions.keys().copied().collect();
        for partition in partitions {
            let Some(back) = self.forgotten(partition, &stream).await? else {
                continue;
            };
            let Some(reach) = self.partitions.get_mut(&partition) else {
                continue;
            };
            let number = reach.number;
            tracing::info!(service = %E::SERVICE, %partition, from = back + 1, to = number, "the broker forgot events: telling them again");
            let marks = reach.go_back(partition, back, &stream.identity);
            self.note(marks);
            self.fall_behind(partition, number);
        }
        self.stream = stream.identity;
        self.checked = Some(connection);
        Ok(())
    }

    /// Behind which number a partition is to be told again; `None` where the stream has all of it.
    async fn forgotten(
        &self,
        partition: Partition,
        stream: &StreamState,
    ) -> Result<Option<i64>, Pause> {
        let reach = &self.partitions[&partition];
        let Some(told_in) = &reach.stream else {
            return Ok(None);
        };
        let before = |at: Timestamp, millis: u64| {
            at.plus_millis(i64::try_from(millis).unwrap_or(i64::MAX).saturating_neg())
        };
        let since = if *told_in == stream.identity {
            let Some((number, position)) = &reach.newest else {
                return Ok(None);
            };
            if self.has(partition, *number, position.sequence).await? {
                return Ok(None);
            }
            if let Some(kept) = reach.kept() {
                return Ok(Some(kept));
            }
            before(position.at, self.limits.reread_ms)
        } else {
            before(self.clock.now(), self.limits.events_age_ms)
        };
        let back = self.store.number_before(partition, since).await;
        Ok(Some(back.map_err(Pause::Store)?.min(reach.number)))
    }

    /// Whether the stream has a row's event at a sequence. It has not where that is merely too old to
    /// be there: who was away for so long cannot tell that from what was lost.
    async fn has(&self, partition: Partition, number: i64, sequence: u64) -> Result<bool, Pause> {
        let message = self.bus.message(subject::EVENTS.0, sequence).await;
        let id = event::id(E::SERVICE, partition, number);
        let message = message.map_err(Pause::Broker)?;
        Ok(message.is_some_and(|message| event::ids(&message.payload).contains(&id)))
    }

    /// Tells from the ledger until the partition is no longer behind.
    async fn catch_up(&mut self, partition: Partition) -> Result<(), Pause> {
        while self
            .behind
            .get(&partition)
            .is_some_and(|to| *to > self.partitions[&partition].number)
        {
            let from = self.partitions[&partition].number;
            let rows = self
                .store
                .ledger(partition, from, CATCH_UP_ROWS)
                .await
                .map_err(Pause::Store)?;
            let Some(last) = rows.last() else { break };
            // Also what is behind `to`, and may wait in the queue: should this fail, all of it has
            // been handed over, and is to be sent by itself again.
            self.fall_behind(partition, last.number);
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
