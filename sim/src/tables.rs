//! What a database holds: the tables, and the rules by which they take a batch or refuse it.

use std::collections::{BTreeMap, BTreeSet};

use messages::{EntityId, Partition, RequestId};
use node::{
    store::{
        Batch, CommitError, Creation, LedgerRow, Mark, Position, RequestKey, Standing, StateRead,
        StateWrite,
    },
    table::{Changes, Column, Line, Row, Table, Value},
};

/// The tables of one service.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// The ledger, by partition and number.
    pub ledger: BTreeMap<(Partition, i64), LedgerRow>,
    /// The states.
    pub states: BTreeMap<EntityId, Kept>,
    /// The keys of creations.
    pub creations: BTreeMap<(String, String), Creation>,
    /// The positions, each with its number.
    pub positions: BTreeMap<(Mark, Partition), (Position, i64)>,
    columns: &'static [Column],
    requests: BTreeMap<RequestKey, (Partition, i64)>,
    versions: BTreeSet<(EntityId, i64)>,
}

/// The state of an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its partition.
    pub partition: Partition,
    /// Its version.
    pub version: i64,
    /// Whether it owes something.
    pub owing: bool,
    /// Its columns and lines.
    pub row: Row,
}

impl Tables {
    /// Learns which columns the states have.
    pub(crate) fn know(&mut self, table: &Table) {
        self.columns = table.columns;
    }

    /// Writes a batch whole, or nothing of it.
    pub(crate) fn write(&mut self, batch: &Batch) -> Result<(), CommitError> {
        self.check(batch)?;
        for write in &batch.states {
            let kept = Kept {
                partition: write.partition,
                version: write.version,
                owing: write.owing,
                row: Row {
                    values: self.values(write),
                    lines: self.lines(write),
                },
            };
            self.states.insert(write.entity.clone(), kept);
        }
        for row in &batch.ledger {
            let place = (row.partition, row.number);
            self.requests.insert(request(row), place);
            self.versions.insert((row.entity.clone(), row.version));
            self.ledger.insert(place, row.clone());
        }
        for creation in &batch.creations {
            self.creations.insert(key(creation), creation.clone());
        }
        for write in &batch.positions {
            let place = (write.mark, write.partition);
            self.positions
                .insert(place, (write.position.clone(), write.number));
        }
        Ok(())
    }

    /// An entity's columns after a write, which leaves those alone that never change.
    fn values(&self, write: &StateWrite) -> Vec<Value> {
        let mut values = write.row.values.clone();
        if let Some(kept) = self.states.get(&write.entity) {
            let columns = self.columns.iter().zip(&mut values).zip(&kept.row.values);
            for ((column, value), kept) in columns {
                if column.changes == Changes::Never {
                    value.clone_from(kept);
                }
            }
        }
        values
    }

    /// An entity's lines after a write, which has those that changed.
    fn lines(&self, write: &StateWrite) -> Vec<Line> {
        let kept = self.states.get(&write.entity).into_iter();
        let before = kept.flat_map(|kept| &kept.row.lines);
        let lines: BTreeMap<i64, &Line> = before
            .chain(&write.row.lines)
            .map(|line| (line.number, line))
            .collect();
        lines.into_values().cloned().collect()
    }

    fn check(&self, batch: &Batch) -> Result<(), CommitError> {
        for write in &batch.states {
            let version = self
                .states
                .get(&write.entity)
                .map_or(0, |kept| kept.version);
            if write.expected != version {
                let entity = &write.entity;
                return Err(match write.expected {
                    0 => CommitError::Refused(format!("{entity} is there already")),
                    other => CommitError::Stale(format!("{entity}: {other} is now {version}")),
                });
            }
        }
        let (mut places, mut requests, mut versions) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for row in &batch.ledger {
            let place = (row.partition, row.number);
            let version = (row.entity.clone(), row.version);
            let known = self.ledger.contains_key(&place)
                || self.requests.contains_key(&request(row))
                || self.versions.contains(&version);
            let new =
                places.insert(place) && requests.insert(request(row)) && versions.insert(version);
            if known || !new {
                return Err(CommitError::Refused(format!(
                    "not unique: {} {} {}",
                    row.entity, row.version, row.request_id
                )));
            }
        }
        let mut keys = BTreeSet::new();
        for creation in &batch.creations {
            if self.creations.contains_key(&key(creation)) || !keys.insert(key(creation)) {
                return Err(CommitError::Refused(format!(
                    "not unique: {}",
                    creation.key
                )));
            }
        }
        Ok(())
    }

    /// The ledger row of a request.
    pub fn row(&self, request: &RequestKey) -> Option<&LedgerRow> {
        self.requests
            .get(request)
            .and_then(|place| self.ledger.get(place))
    }

    /// The last request in the order of their texts, from `from` on and before `before`.
    pub(crate) fn last_request(&self, from: &str, before: &str) -> Option<&RequestId> {
        let ids = self.requests.keys().map(|(_, _, id)| id);
        ids.filter(|id| (from..before).contains(&id.as_str())).max()
    }

    /// The state of an entity.
    pub fn state(&self, entity: &EntityId) -> Option<StateRead> {
        self.states.get(entity).map(|kept| StateRead {
            entity: entity.clone(),
            version: kept.version,
            row: kept.row.clone(),
        })
    }

    /// Where a partition stands.
    pub fn standing(&self, partition: Partition) -> Standing {
        let position = |mark| self.positions.get(&(mark, partition)).cloned();
        let numbered = |mark| position(mark).map(|(position, number)| (number, position));
        Standing {
            number: self.numbers(partition).next_back().unwrap_or(0),
            inbox: position(Mark::Inbox).map(|(position, _)| position),
            events: numbered(Mark::Events),
            events_kept: numbered(Mark::EventsKept),
        }
    }

    fn numbers(&self, partition: Partition) -> impl DoubleEndedIterator<Item = i64> {
        self.ledger
            .range((partition, i64::MIN)..=(partition, i64::MAX))
            .map(|((_, number), _)| *number)
    }
}

fn request(row: &LedgerRow) -> RequestKey {
    (row.entity.clone(), row.origin, row.request_id.clone())
}

fn key(creation: &Creation) -> (String, String) {
    (creation.call.clone(), creation.key.clone())
}
