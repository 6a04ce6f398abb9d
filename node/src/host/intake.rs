//! The intake: finds what is known of commands, many at once, and hands each to its entity's actor.
//!
//! It alone loads entities and puts them away, one batch after another, so that an entity has one
//! incarnation: it is put away only when nothing of it is between here and the end of its commit.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use messages::{Body as _, Digest, EntityId, Partition, RequestId, Timestamp, envelope::Written};
use ractor::{ActorCell, ActorRef};
use tokio::{sync::mpsc, time::Instant};

use super::{
    CreationKey, Limits,
    actor::{EntityActor, Start},
    job::{Decision, Job, Known, Slot, Work},
};
use crate::{
    entity::Entity,
    seams::{Clock, Ids},
    store::{Creation, LedgerRow, RequestKey, Store, StoreFault},
    telemetry::names,
};

/// How often idle entities are looked for.
const SWEEP_EVERY: Duration = Duration::from_millis(200);

/// Why the intake ended before its time.
#[derive(Debug, thiserror::Error)]
pub(super) enum IntakeFault {
    #[error(transparent)]
    Store(#[from] StoreFault),
    #[error("unreadable state or ledger: {0}")]
    Unreadable(String),
    #[error("an actor is gone: {0}")]
    Actor(String),
}

/// An entity in memory.
struct Resident<E: Entity> {
    actor: ActorRef<Box<Work<E>>>,
    slot: Arc<Slot>,
    used: Instant,
}

/// A creation whose commit is not yet seen.
struct InFlight {
    entity: EntityId,
    digest: Digest,
    slot: Arc<Slot>,
}

/// What the intake works with.
pub(super) struct Intake<E: Entity> {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    limits: Limits,
    partitions: u16,
    decisions: mpsc::UnboundedSender<Decision<E>>,
    supervisor: ActorCell,
    residents: HashMap<EntityId, Resident<E>>,
    creating: BTreeMap<(String, String), InFlight>,
}

impl<E: Entity> Intake<E> {
    pub(super) fn new(
        host: &super::Host,
        store: Arc<dyn Store>,
        decisions: mpsc::UnboundedSender<Decision<E>>,
        supervisor: ActorCell,
    ) -> Self {
        Self {
            store,
            clock: Arc::clone(&host.clock),
            ids: Arc::clone(&host.ids),
            limits: host.limits.clone(),
            partitions: host.partitions,
            decisions,
            supervisor,
            residents: HashMap::new(),
            creating: BTreeMap::new(),
        }
    }

    /// Takes commands in until the last sender is gone.
    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<Job<E>>) -> Result<(), IntakeFault> {
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        let mut batch = Vec::with_capacity(self.limits.lookup_max);
        loop {
            tokio::select! {
                biased;
                n = jobs.recv_many(&mut batch, self.limits.lookup_max) => {
                    if n == 0 {
                        return Ok(());
                    }
                    metrics::gauge!(names::MAILBOX, "service" => E::SERVICE.name())
                        .set(f64::from(u32::try_from(jobs.len() + n).unwrap_or(u32::MAX)));
                    self.dispatch(&mut batch).await?;
                }
                _ = sweep.tick() => self.put_idle_away(),
            }
        }
    }

    async fn dispatch(&mut self, jobs: &mut Vec<Job<E>>) -> Result<(), IntakeFault> {
        let begun = Instant::now();
        let now = self.clock.now();
        let mismatches = self.find_creations(jobs).await?;
        // What was committed before the ledger is asked will be found there; an actor need not
        // remember it any longer.
        let durable: Vec<i64> = jobs
            .iter()
            .map(|job| {
                self.residents
                    .get(&job.entity)
                    .map_or(0, |resident| resident.slot.durable())
            })
            .collect();
        let ledger = self.look_up(jobs).await?;
        for ((job, durable), mismatch) in jobs.drain(..).zip(durable).zip(mismatches) {
            let known = ledger.known(&job)?;
            let work = self.work(job, known, durable, mismatch, now)?;
            let resident = self
                .residents
                .get_mut(&work.job.entity)
                .expect("every job's entity is in memory");
            resident.used = begun;
            resident.slot.begin();
            resident
                .actor
                .cast(Box::new(work))
                .map_err(|error| IntakeFault::Actor(error.to_string()))?;
        }
        metrics::histogram!(names::STAGE, "stage" => "intake", "service" => E::SERVICE.name())
            .record(begun.elapsed());
        metrics::gauge!(names::ENTITIES, "service" => E::SERVICE.name()).set(f64::from(
            u32::try_from(self.residents.len()).unwrap_or(u32::MAX),
        ));
        Ok(())
    }

    /// Loads the entities that are not in memory, and asks the ledger what it knows of the requests.
    async fn look_up(&mut self, jobs: &[Job<E>]) -> Result<Ledger<E>, IntakeFault> {
        let unknown: BTreeSet<EntityId> = jobs
            .iter()
            .filter(|job| !job.fresh && !self.residents.contains_key(&job.entity))
            .map(|job| job.entity.clone())
            .collect();
        let unknown: Vec<EntityId> = unknown.into_iter().collect();
        let requests = requests(jobs);
        let store = &self.store;
        let (states, rows) = tokio::try_join!(
            async {
                if unknown.is_empty() {
                    Ok(Vec::new())
                } else {
                    store.load(&unknown).await
                }
            },
            async {
                if requests.is_empty() {
                    Ok(Vec::new())
                } else {
                    store.lookup(&requests).await
                }
            },
        )?;
        for read in states {
            let state = E::from_row(&read.entity, read.row)
                .map_err(|error| IntakeFault::Unreadable(format!("{}: {error}", read.entity)))?;
            self.spawn(&read.entity, state, read.version)?;
        }
        for job in jobs {
            if !self.residents.contains_key(&job.entity) {
                self.spawn(&job.entity, E::new(&job.entity), 0)?;
            }
        }
        let rows = rows
            .into_iter()
            .map(|row| {
                (
                    (row.entity.clone(), row.origin, row.request_id.clone()),
                    row,
                )
            })
            .collect();
        Ok(Ledger {
            rows,
            entity: std::marker::PhantomData,
        })
    }

    fn work(
        &mut self,
        job: Job<E>,
        known: Known<E::Change>,
        durable: i64,
        mismatch: bool,
        now: Timestamp,
    ) -> Result<Work<E>, IntakeFault> {
        let resident = self
            .residents
            .get(&job.entity)
            .ok_or_else(|| IntakeFault::Actor(job.entity.to_string()))?;
        let creation = job
            .creation
            .as_ref()
            .map(|CreationKey { call, key, digest }| {
                let in_flight = InFlight {
                    entity: job.entity.clone(),
                    digest: *digest,
                    slot: Arc::clone(&resident.slot),
                };
                self.creating
                    .entry((call.clone(), key.clone()))
                    .or_insert(in_flight);
                Creation {
                    call: call.clone(),
                    key: key.clone(),
                    digest: *digest,
                    entity: job.entity.clone(),
                    at: now,
                }
            });
        Ok(Work {
            slot: Arc::clone(&resident.slot),
            known,
            durable,
            digest: E::remembers(&job.command)
                .then(|| Digest::of(job.command.kind(), &Written(&job.command))),
            mismatch,
            creation,
            now,
            job,
        })
    }

    /// Gives every creation under a key its entity: the one it made before, or a fresh id in the
    /// key's partition. Answers which keys were used with another body.
    async fn find_creations(&mut self, jobs: &mut [Job<E>]) -> Result<Vec<bool>, IntakeFault> {
        let mut mismatches = vec![false; jobs.len()];
        if jobs.iter().all(|job| job.creation.is_none()) {
            return Ok(mismatches);
        }
        self.creating
            .retain(|_, in_flight| in_flight.slot.durable() == 0 && in_flight.slot.pending() > 0);
        let keys: Vec<(String, String)> = jobs
            .iter()
            .filter_map(|job| job.creation.as_ref())
            .map(|key| (key.call.clone(), key.key.clone()))
            .filter(|key| !self.creating.contains_key(key))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let made = if keys.is_empty() {
            Vec::new()
        } else {
            self.store.creations(&keys).await?
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
                .creating
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

    fn spawn(&mut self, id: &EntityId, state: E, version: i64) -> Result<(), IntakeFault> {
        let start = Start {
            id: id.clone(),
            state,
            version,
            decisions: self.decisions.clone(),
        };
        let (actor, _) = ractor::ActorRuntime::spawn_linked_instant(
            None,
            EntityActor::new(),
            start,
            self.supervisor.clone(),
        )
        .map_err(|error| IntakeFault::Actor(error.to_string()))?;
        let resident = Resident {
            actor,
            slot: Slot::at(version),
            used: Instant::now(),
        };
        self.residents.insert(id.clone(), resident);
        Ok(())
    }

    /// Puts entities away: those at their end, those unused for long, and, where there are too
    /// many, the longest unused.
    fn put_idle_away(&mut self) {
        let idle = Duration::from_millis(self.limits.entity_idle_ms);
        let now = Instant::now();
        let (done, mut rest): (Vec<_>, Vec<_>) = self
            .residents
            .iter()
            .filter(|(_, resident)| resident.slot.pending() == 0)
            .map(|(id, resident)| (resident, id.clone()))
            .partition(|(resident, _)| {
                resident.slot.finished() || now.duration_since(resident.used) >= idle
            });
        let too_many = (self.residents.len() - done.len()).saturating_sub(self.limits.entities_max);
        if too_many > 0 {
            rest.sort_by(|(a, x), (b, y)| a.used.cmp(&b.used).then_with(|| x.cmp(y)));
        }
        let away: Vec<EntityId> = done
            .into_iter()
            .chain(rest.into_iter().take(too_many))
            .map(|(_, id)| id)
            .collect();
        for id in away {
            if let Some(resident) = self.residents.remove(&id) {
                resident.actor.stop(None);
            }
        }
    }
}

impl<E: Entity> Drop for Intake<E> {
    fn drop(&mut self) {
        for resident in self.residents.values() {
            resident.actor.stop(None);
        }
    }
}

/// A change that the ledger has, and the digest of the command that led to it.
type Found<E> = (<E as Entity>::Change, Option<Digest>);

/// What the ledger knew of a batch's requests.
struct Ledger<E: Entity> {
    rows: HashMap<RequestKey, LedgerRow>,
    entity: std::marker::PhantomData<E>,
}

impl<E: Entity> Ledger<E> {
    fn known(&self, job: &Job<E>) -> Result<Known<E::Change>, IntakeFault> {
        if !E::remembers(&job.command) {
            return Ok(Known {
                own: None,
                counterpart: None,
            });
        }
        let counterpart = job
            .request_id
            .counterpart()
            .map(|id| self.find(job, &id))
            .transpose()?
            .flatten();
        Ok(Known {
            own: self.find(job, &job.request_id)?,
            counterpart: counterpart.map(|(change, _)| change),
        })
    }

    fn find(&self, job: &Job<E>, id: &RequestId) -> Result<Option<Found<E>>, IntakeFault> {
        let Some(row) = self.rows.get(&(job.entity.clone(), job.origin, id.clone())) else {
            return Ok(None);
        };
        serde_json::from_str(&row.body)
            .map(|change| Some((change, row.digest)))
            .map_err(|error| {
                IntakeFault::Unreadable(format!(
                    "ledger of {} version {}: {error}",
                    row.entity, row.version
                ))
            })
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

/// What the ledger is asked for: each request that is remembered, and its counterpart.
fn requests<E: Entity>(jobs: &[Job<E>]) -> Vec<RequestKey> {
    let mut requests = BTreeSet::new();
    for job in jobs
        .iter()
        .filter(|job| !job.fresh && E::remembers(&job.command))
    {
        requests.insert((job.entity.clone(), job.origin, job.request_id.clone()));
        if let Some(counterpart) = job.request_id.counterpart() {
            requests.insert((job.entity.clone(), job.origin, counterpart));
        }
    }
    requests.into_iter().collect()
}
