//! How rows of the ledger become events in the stream, and the marks move behind them.

use std::collections::BTreeSet;

use messages::Partition;
use tokio::time::Instant;

use super::{
    Pause, Teller,
    parcels::{Encoded, Parcels},
};
use crate::{
    bus::{Acknowledgement, BusFault},
    entity::Entity,
    failpoint::{self, Point},
    host::turn::Told,
    store::{Position, PositionWrite},
};

/// A row's partition and number, and its event's acknowledgement where it makes one.
type UnderWay = (Partition, i64, Option<Acknowledgement>);

impl<E: Entity> Teller<E> {
    /// Publishes rows that were never published before, with one acknowledgement for many, and moves
    /// the marks. Where that fails the marks stay before all that it would have spoken for.
    pub(super) async fn publish_in_a_row(&mut self, rows: Vec<Told>) -> Result<(), Pause> {
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let chunk = rows.by_ref().take(self.limits.events_in_flight_max);
            let Parcels { messages, rows } = Parcels::of(chunk.collect(), E::SERVICE, &self.limits);
            let count = messages.len() as u64;
            let handed_over = Instant::now();
            let last = if messages.is_empty() {
                0
            } else {
                let ack = self.bus.send_in_a_row(messages).await;
                let last = ack.map_err(Pause::Broker)?.await.map_err(Pause::Broker)?;
                self.still_connected()?;
                last
            };
            for (partition, number, message) in &rows {
                let sequence = message.map(|place| (last + 1 + place).saturating_sub(count));
                self.told(*partition, *number, sequence, handed_over);
            }
            self.mark(rows.into_iter().map(|(partition, ..)| partition).collect());
        }
        Ok(())
    }

    /// Publishes rows in their order, many on their way at once, and moves the marks.
    pub(super) async fn publish(&mut self, rows: Vec<Told>) -> Result<(), Pause> {
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let mut under_way = Vec::new();
            let handed_over = Instant::now();
            for row in rows.by_ref().take(self.limits.events_in_flight_max) {
                let (partition, number) = (row.partition, row.number);
                let ack = match Encoded::of(row, E::SERVICE) {
                    Some(event) => {
                        let sent = self.bus.send(event.alone()).await;
                        Some(sent.map_err(Pause::Broker)?)
                    }
                    None => None,
                };
                under_way.push((partition, number, ack));
            }
            let partitions: BTreeSet<Partition> = under_way.iter().map(|one| one.0).collect();
            let result = self.acknowledged(under_way, handed_over).await;
            self.mark(partitions);
            result?;
        }
        Ok(())
    }

    /// Waits for acknowledgements in the order of the rows; what came before a failure counts.
    async fn acknowledged(
        &mut self,
        under_way: Vec<UnderWay>,
        handed_over: Instant,
    ) -> Result<(), Pause> {
        for (partition, number, ack) in under_way {
            let sequence = match ack {
                Some(ack) => {
                    let sequence = ack.await.map_err(Pause::Broker)?;
                    self.still_connected()?;
                    Some(sequence)
                }
                None => None,
            };
            self.told(partition, number, sequence, handed_over);
        }
        Ok(())
    }

    /// Whether this still is the connection on which was looked what the stream has: what was under
    /// way when one broke is sent on the next, whatever the broker forgot meanwhile.
    fn still_connected(&self) -> Result<(), Pause> {
        if self.checked == Some(self.bus.connection()) {
            return Ok(());
        }
        Err(Pause::Broker(BusFault("the connection is another".into())))
    }

    /// A row is told: the stream has its event, where it makes one.
    fn told(
        &mut self,
        partition: Partition,
        number: i64,
        sequence: Option<u64>,
        handed_over: Instant,
    ) {
        failpoint::reach(E::SERVICE.name(), Point::Told);
        let Some(reach) = self.partitions.get_mut(&partition) else {
            return;
        };
        let Some(sequence) = sequence else {
            return reach.passed(number);
        };
        let position = Position {
            stream: self.stream.clone(),
            sequence,
            at: self.clock.now(),
        };
        reach.told(number, position, handed_over, self.limits.reread());
    }

    /// Notes for the next commit how far these partitions have been told.
    fn mark(&mut self, partitions: BTreeSet<Partition>) {
        for partition in partitions {
            let reach = self.partitions.get_mut(&partition);
            let marks = reach.map(|reach| reach.marks(partition));
            self.note(marks.unwrap_or_default());
        }
    }

    /// Notes marks for the next commit.
    pub(super) fn note(&self, writes: Vec<PositionWrite>) {
        let mut marks = self
            .queue
            .marks
            .lock()
            .expect("no panic while the marks are locked");
        for write in writes {
            marks.insert((write.mark, write.partition), write);
        }
    }
}
