//! The intake: finds what is known of commands, many at once, and hands each to its entity's actor.
//!
//! It alone loads entities and puts them away, one batch after another, so that an entity has one
//! incarnation: it is put away only when nothing of it is between here and the end of its commit.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use messages::{Body as _, Digest, EntityId, Service, envelope::Written};
use ractor::{ActorCell, ActorRef};
use tokio::{sync::mpsc, time::Instant};

use super::{
    Limits,
    actor::{EntityActor, Message, Start},
    creations::Creations,
    job::{Decision, Job, Work},
    ledger::{self, Ledger},
    newcomers::Newcomers,
    residents::Residents,
    spares::Spares,
};
use crate::{
    entity::Entity,
    failpoint::{self, Point},
    seams::Clock,
    store::{Store, StoreFault},
    telemetry::names,
};

/// How often entities are put away.
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

/// What the intake works with.
pub(super) struct Intake<E: Entity> {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    decisions: mpsc::UnboundedSender<Decision<E>>,
    supervisor: ActorCell,
    residents: Residents<ActorRef<Message<E>>>,
    /// Entities that the publisher has seen at their end.
    finished: mpsc::UnboundedReceiver<EntityId>,
    /// Actors whose entities were put away.
    spares: Spares<ActorRef<Message<E>>>,
    creations: Creations,
    newcomers: Newcomers,
    meters: Meters,
}

/// What the intake counts; looked up once, since that costs more than to count.
struct Meters {
    mailbox: metrics::Gauge,
    entities: metrics::Gauge,
    seconds: metrics::Histogram,
}

impl Meters {
    fn of(service: Service) -> Self {
        let service = service.name();
        Self {
            mailbox: metrics::gauge!(names::MAILBOX, "service" => service),
            entities: metrics::gauge!(names::ENTITIES, "service" => service),
            seconds: metrics::histogram!(names::STAGE, "stage" => "intake", "service" => service),
        }
    }
}

impl<E: Entity> Intake<E> {
    pub(super) fn new(
        host: &super::Host,
        store: Arc<dyn Store>,
        decisions: mpsc::UnboundedSender<Decision<E>>,
        supervisor: ActorCell,
        newcomers: Newcomers,
        finished: mpsc::UnboundedReceiver<EntityId>,
    ) -> Self {
        Self {
            store,
            clock: Arc::clone(&host.clock),
            limits: host.limits.clone(),
            decisions,
            supervisor,
            residents: Residents::new(),
            finished,
            spares: Spares::new(),
            creations: Creations::new(host),
            newcomers,
            meters: Meters::of(E::SERVICE),
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
                    let waiting = u32::try_from(jobs.len() + n).unwrap_or(u32::MAX);
                    self.meters.mailbox.set(f64::from(waiting));
                    self.dispatch(&mut batch).await?;
                }
                _ = sweep.tick() => self.put_away(),
            }
        }
    }

    async fn dispatch(&mut self, jobs: &mut Vec<Job<E>>) -> Result<(), IntakeFault> {
        let begun = Instant::now();
        let now = self.clock.now();
        let mismatches = self.creations.find(&*self.store, jobs).await?;
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
        failpoint::reach(E::SERVICE.name(), Point::LookedUp);
        for ((job, durable), mismatch) in jobs.drain(..).zip(durable).zip(mismatches) {
            let resident = self
                .residents
                .at_work(&job.entity, begun)
                .ok_or_else(|| IntakeFault::Actor(job.entity.to_string()))?;
            resident.slot.begin();
            let creation = job.creation.as_ref();
            let work = Work {
                slot: Arc::clone(&resident.slot),
                known: ledger.known(&job)?,
                durable,
                digest: E::remembers(&job.command)
                    .then(|| Digest::of(job.command.kind(), &Written(&job.command))),
                mismatch,
                creation: creation
                    .map(|key| self.creations.begin(key, &job.entity, &resident.slot, now)),
                now,
                job,
            };
            resident
                .actor
                .cast(Message::Decide(Box::new(work)))
                .map_err(|error| IntakeFault::Actor(error.to_string()))?;
        }
        self.meters.seconds.record(begun.elapsed());
        let residents = u32::try_from(self.residents.len()).unwrap_or(u32::MAX);
        self.meters.entities.set(f64::from(residents));
        Ok(())
    }

    /// Loads the entities that are not in memory, and asks the ledger about the requests that it may
    /// know.
    async fn look_up(&mut self, jobs: &[Job<E>]) -> Result<Ledger<E>, IntakeFault> {
        let unmade = self.load(jobs).await?;
        let mut doubtful = Vec::new();
        for job in jobs.iter().filter(|job| E::remembers(&job.command)) {
            let new = self
                .newcomers
                .meet(&job.entity, job.origin, &job.request_id);
            // What was never made has no rows: each comes with the state after it.
            if !(new || job.fresh || unmade.contains(&job.entity)) {
                doubtful.push(job);
            }
        }
        if doubtful.is_empty() {
            return Ok(Ledger::of(Vec::new()));
        }
        let requests = ledger::requests(&doubtful);
        Ok(Ledger::of(self.store.lookup(&requests).await?))
    }

    /// Brings the entities into memory that are not there yet; answers those that were never made.
    async fn load(&mut self, jobs: &[Job<E>]) -> Result<BTreeSet<EntityId>, IntakeFault> {
        let away = |job: &&Job<E>| !job.fresh && !self.residents.contains(&job.entity);
        let mut unmade: BTreeSet<EntityId> = jobs
            .iter()
            .filter(away)
            .map(|job| job.entity.clone())
            .collect();
        if !unmade.is_empty() {
            let away: Vec<EntityId> = unmade.iter().cloned().collect();
            for read in self.store.load(&away).await? {
                let state = E::from_row(&read.entity, read.row).map_err(|error| {
                    IntakeFault::Unreadable(format!("{}: {error}", read.entity))
                })?;
                self.spawn(&read.entity, state, read.version)?;
                unmade.remove(&read.entity);
            }
        }
        for job in jobs {
            if !self.residents.contains(&job.entity) {
                self.spawn(&job.entity, E::new(&job.entity), 0)?;
            }
        }
        Ok(unmade)
    }

    fn spawn(&mut self, id: &EntityId, state: E, version: i64) -> Result<(), IntakeFault> {
        let start = Start {
            id: id.clone(),
            state,
            version,
            decisions: self.decisions.clone(),
        };
        let gone = |error: &dyn std::fmt::Display| IntakeFault::Actor(error.to_string());
        let actor = if let Some(spare) = self.spares.take() {
            spare
                .cast(Message::Become(Box::new(start)))
                .map_err(|error| gone(&error))?;
            spare
        } else {
            let supervisor = self.supervisor.clone();
            ractor::ActorRuntime::spawn_linked_instant(None, EntityActor::new(), start, supervisor)
                .map_err(|error| gone(&error))?
                .0
        };
        let now = Instant::now();
        self.residents.put(id.clone(), actor, version, now);
        Ok(())
    }

    /// Puts away what has left its work behind; the actors wait for the next entities.
    fn put_away(&mut self) {
        for actor in self.spares.sweep() {
            actor.stop(None);
        }
        let idle = Duration::from_millis(self.limits.entity_idle_ms);
        let told = std::iter::from_fn(|| self.finished.try_recv().ok());
        let finished = self.residents.finished(told);
        let now = Instant::now();
        let unused = self.residents.unused(idle, self.limits.entities_max, now);
        for actor in finished.into_iter().chain(unused) {
            self.spares.put(actor);
        }
    }
}

impl<E: Entity> Drop for Intake<E> {
    fn drop(&mut self) {
        for actor in self.residents.actors().chain(self.spares.iter()) {
            actor.stop(None);
        }
    }
}
