//! Creations under a caller's key: which entity each is of, the same for every repeat.
//!
//! Invariant: a key's owner holds the keys in flight in memory, so that a repeat finds the first
//! before its commit, and waits for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use messages::{Digest, EntityId, Partition, Timestamp};

use super::{
    CreationKey, Host,
    job::{Job, Slot},
};
use crate::{
    entity::Entity,
    seams::{Clock, Ids},
    store::{Creation, Store, StoreFault},
};

/// A creation whose commit is not yet seen.
struct InFlight {
    entity: EntityId,
    digest: Digest,
    slot: Arc<Slot>,
}

/// The creations of one session.
pub(super) struct Creations {
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    partitions: u16,
    in_flight: BTreeMap<(String, String), InFlight>,
}

impl Creations {
    pub(super) fn new(host: &Host) -> Self {
        Self {
            clock: Arc::clone(&host.clock),
            ids: Arc::clone(&host.ids),
            partitions: host.partitions,
            in_flight: BTreeMap::new(),
        }
    }

    /// Holds the key from now until the creation's commit is seen; what is to be kept of it.
    pub(super) fn begin(
        &mut self,
        CreationKey { call, key, digest }: &CreationKey,
        entity: &EntityId,
        slot: &Arc<Slot>,
        now: Timestamp,
    ) -> Creation {
        let in_flight = InFlight {
            entity: entity.clone(),
            digest: *digest,
            slot: Arc::clone(slot),
        };
        self.in_flight
            .entry((call.clone(), key.clone()))
            .or_insert(in_flight);
        Creation {
            call: call.clone(),
            key: key.clone(),
            digest: *digest,
            entity: entity.clone(),
            at: now,
        }
    }

    /// Gives every creation under a key its entity: the one it made before, or a fresh id in the
    /// key's partition. Answers which keys were used with another body.
    pub(super) async fn find<E: Entity>(
        &mut self,
        store: &dyn Store,
        jobs: &mut [Job<E>],
    ) -> Result<Vec<bool>, StoreFault> {
        let mut mismatches = vec![false; jobs.len()];
        if jobs.iter().all(|job| job.creation.is_none()) {
            return Ok(mismatches);
        }
        self.in_flight
            .retain(|_, in_flight| in_flight.slot.durable() == 0 && in_flight.slot.pending() > 0);
        let keys: Vec<(String, String)> = jobs
            .iter()
            .filter_map(|job| job.creation.as_ref())
            .map(|key| (key.call.clone(), key.key.clone()))
            .filter(|key| !self.in_flight.contains_key(key))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let made = if keys.is_empty() {
            Vec::new()
        } else {
            store.creations(&keys).await?
        };
        let mut made: BTreeMap<(String, String), (EntityId, Digest)> = made
            .into_iter()
            .map(|c| ((c.call, c.key), (c.entity, c.digest)))
            .collect();
        for (job, mismatch) in jobs.iter_mut().zip(&mut mismatches) {
            let Some(creation) = &job.creation else {
                continue;
            };
            let key = (creation.call.clone(), creation.key.clone());
            let known = self
                .in_flight
                .get(&key)
                .map(|in_flight| (in_flight.entity.clone(), in_flight.digest))
                .or_else(|| made.get(&key).cloned());
            if let Some((entity, digest)) = known {
                *mismatch = digest != creation.digest;
                job.entity = entity;
                job.creation = None;
                job.fresh = false;
            } else {
                let partition = creation.partition(self.partitions);
                job.entity = draw(&*self.ids, &*self.clock, self.partitions, |p| {
                    p == partition
                });
                job.partition = partition;
                job.fresh = true;
                // A second one with the same key in this batch finds the first.
                made.insert(key, (job.entity.clone(), creation.digest));
            }
        }
        Ok(mismatches)
    }
}

/// Draws an id whose partition is wanted.
pub(super) fn draw(
    ids: &dyn Ids,
    clock: &dyn Clock,
    partitions: u16,
    wanted: impl Fn(Partition) -> bool,
) -> EntityId {
    loop {
        let id = EntityId::from(ids.uuid(clock.now()));
        if wanted(id.partition(partitions)) {
            return id;
        }
    }
}
