//! How rows of the ledger become events in the stream, and the marks move behind them.

use std::collections::BTreeSet;

use messages::{Event, Partition, event, subject};

use super::{Pause, Teller};
use crate::{
    bus::{Acknowledgement, Outbound},
    entity::Entity,
    failpoint::{self, Point},
    host::turn::Told,
    store::{Mark, Position, PositionWrite},
};

/// A row's partition and number, and its event's acknowledgement where it makes one.
type UnderWay = (Partition, i64, Option<Acknowledgement>);

impl<E: Entity> Teller<E> {
    /// Publishes rows that were never published before, with one acknowledgement for many, and moves
    /// the marks. Where that fails the marks stay before all that it would have spoken for.
    pub(super) async fn publish_in_a_row(&mut self, rows: Vec<Told>) -> Result<(), Pause> {
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
    pub(super) async fn publish(&mut self, rows: Vec<Told>) -> Result<(), Pause> {
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
