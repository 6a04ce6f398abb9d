//! A service as the edge sees it: ask an entity, whoever owns it; watch one; see what is missing.
//!
//! It outlives its sessions: an ask that was under way when one ended is put to the next, under
//! the same request id, until its time is up.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use messages::{Digest, EntityId, Origin, Partition, Refusal, RequestId};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

use super::{
    Limits, asking,
    dead::Aside,
    intake::draw,
    job::{Answer, Job, Route},
    journal::End,
    session::{self, Live},
};
use crate::{
    bus::Bus,
    entity::{CREATION, Entity},
    outside::Outside,
    seams::{Clock, Ids},
    store::{Database, Store, StoreFault, Writer},
};

/// How long to wait before another try after a failure.
const AGAIN: Duration = Duration::from_millis(100);
/// How long to wait between tries to become an owner.
const STANDBY: Duration = Duration::from_millis(500);

/// What a service's host stands on.
#[derive(Clone)]
pub struct Host {
    /// The broker.
    pub bus: Arc<dyn Bus>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of ids.
    pub ids: Arc<dyn Ids>,
    /// The limits.
    pub limits: Limits,
    /// The number of partitions, fixed when the streams and databases are made.
    pub partitions: u16,
    /// How many of them this process owns at most.
    pub partitions_max: u16,
    /// Where journals run, if not beside everything else: a commit goes to the database and back
    /// many times, and must not queue behind requests each time.
    pub journals: Option<tokio::runtime::Handle>,
}

/// A question or command for an entity.
#[derive(Clone, Debug)]
pub struct Ask<C> {
    /// Which entity.
    pub target: Target,
    /// What is asked.
    pub command: C,
    /// The idempotency key; drawn by the host where there is none.
    pub request_id: Option<RequestId>,
    /// Who asks.
    pub origin: Origin,
    /// How long to wait until the entity is at rest; `None` answers right after the commit.
    pub settle: Option<Duration>,
    /// The trace that this belongs to.
    pub traceparent: Option<String>,
}

/// The entity that is asked.
#[derive(Clone, Debug)]
pub enum Target {
    /// A known one.
    Entity(EntityId),
    /// One that is to be made, under a caller's key where there is one.
    New {
        /// The key.
        key: Option<CreationKey>,
    },
}

/// A caller's key of a creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreationKey {
    /// The call, such as `POST /orders`.
    pub call: String,
    /// The caller's key.
    pub key: String,
    /// The digest of the call's parsed body.
    pub digest: Digest,
}

impl CreationKey {
    /// The partition in which everything made under this key lives.
    pub(super) fn partition(&self, partitions: u16) -> Partition {
        Partition::of(
            format!("{}\0{}", self.call, self.key).as_bytes(),
            partitions,
        )
    }
}

/// Nobody could answer in time, or a limit was reached: the same request may be tried again.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Unavailable {
    /// What is missing.
    pub reason: String,
}

/// Why a service cannot run at all.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(pub String);

/// A service in this process.
pub struct Service<E: Entity>(Arc<Inner<E>>);

impl<E: Entity> Clone for Service<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Inner<E: Entity> {
    host: Host,
    store: Arc<dyn Store>,
    database: Option<Database>,
    outside: Option<Arc<dyn Outside<E>>>,
    live: watch::Sender<Option<Arc<Live<E>>>>,
    aside: Arc<Aside>,
    closed: AtomicBool,
}

impl<E: Entity> Service<E> {
    /// A service on a database.
    pub fn new(host: Host, database: Database) -> Self {
        Self::on(host, Arc::new(database.clone()), Some(database))
    }

    /// A service on any store: for simulations. Lists and searches need a database.
    pub fn on(host: Host, store: Arc<dyn Store>, database: Option<Database>) -> Self {
        Self(Arc::new(Inner {
            host,
            store,
            database,
            outside: None,
            live: watch::Sender::new(None),
            aside: Arc::default(),
            closed: AtomicBool::new(false),
        }))
    }

    /// Gives it who carries out what its entities owe the outside.
    #[must_use]
    pub fn calling(mut self, outside: Arc<dyn Outside<E>>) -> Self {
        let inner =
            Arc::get_mut(&mut self.0).expect("a service is put together before it is shared");
        inner.outside = Some(outside);
        self
    }

    pub(super) fn outside(&self) -> Option<Arc<dyn Outside<E>>> {
        self.0.outside.clone()
    }

    pub(super) fn host(&self) -> &Host {
        &self.0.host
    }

    pub(super) fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.0.store)
    }

    /// What the database refused in one session, and the next passes over.
    pub(super) fn aside(&self) -> Arc<Aside> {
        Arc::clone(&self.0.aside)
    }

    pub(super) fn set_live(&self, live: Option<Arc<Live<E>>>) {
        self.0.live.send_replace(live);
    }

    /// Takes no new asks.
    pub(super) fn close(&self) {
        self.0.closed.store(true, Ordering::Release);
    }

    /// The database, for lists and searches.
    pub fn database(&self) -> &Database {
        self.0
            .database
            .as_ref()
            .expect("a service with an edge has a database")
    }

    /// The time, as the host has it.
    pub fn now(&self) -> messages::Timestamp {
        self.0.host.clock.now()
    }

    /// Runs sessions, one after another, until `stop` turns true.
    ///
    /// # Errors
    /// Where the configuration does not fit the database: trying again is vain.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) -> Result<(), StartError> {
        let mut careful = 0;
        let mut kept: Option<Box<dyn Writer>> = None;
        while !*stop.borrow() {
            let attempt = tokio::select! {
                attempt = self.own(kept.take()) => attempt,
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
            };
            let (writer, owned) = match attempt {
                Ok(Some(owning)) => owning,
                Ok(None) => continue,
                Err(StoreFault::Misconfigured(reason)) => return Err(StartError(reason)),
                Err(error) => {
                    tracing::debug!(service = %E::SERVICE, %error, "not an owner yet");
                    tokio::select! {
                        () = tokio::time::sleep(STANDBY) => {}
                        _ = stop.wait_for(|stop| *stop) => return Ok(()),
                    }
                    continue;
                }
            };
            match session::run(self, writer, owned, careful, stop.clone()).await {
                Ok(ended) => {
                    careful = 0;
                    match ended.end {
                        End::Finished => {}
                        End::Rebalance => kept = ended.writer,
                        End::Careful(n) => careful = n,
                        End::Fault(reason) => {
                            tracing::warn!(service = %E::SERVICE, reason, "loading everything again from the database");
                            tokio::time::sleep(AGAIN).await;
                        }
                    }
                }
                Err(error) => {
                    tracing::warn!(service = %E::SERVICE, %error, "the database is away");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
        Ok(())
    }

    /// Connects the writer and takes this process's share of the partitions; `None` where nothing
    /// is free, after a pause.
    async fn own(
        &self,
        kept: Option<Box<dyn Writer>>,
    ) -> Result<Option<(Box<dyn Writer>, BTreeSet<Partition>)>, StoreFault> {
        let host = self.host();
        let mut writer = match kept {
            Some(writer) => writer,
            None => self.0.store.writer().await?,
        };
        loop {
            let fair = host
                .partitions
                .div_ceil(writer.members().await?.max(1))
                .min(host.partitions_max);
            let mut owned = writer.claim(host.partitions, fair).await?;
            let surplus = owned
                .iter()
                .rev()
                .take(owned.len().saturating_sub(usize::from(fair)))
                .copied()
                .collect::<BTreeSet<_>>();
            if !surplus.is_empty() {
                writer.release(&surplus).await?;
                owned.retain(|partition| !surplus.contains(partition));
            }
            if !owned.is_empty() {
                return Ok(Some((writer, owned)));
            }
            tokio::time::sleep(STANDBY).await;
            writer.confirm().await?;
        }
    }

    /// What the service lacks to do its work; nothing where it is ready.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if !self.0.host.bus.link().borrow().connected {
            missing.push("broker".to_owned());
        }
        match &*self.0.live.borrow() {
            None => missing.push(format!("ownership of {} partitions", E::SERVICE)),
            Some(live) if !live.following.load(Ordering::Acquire) => {
                missing.push(format!("stream {}", E::SERVICE.inbox()));
            }
            Some(_) => {}
        }
        missing
    }

    /// Every committed state of an entity from now on; `None` where another process owns it.
    pub fn watch(&self, entity: &EntityId) -> Option<mpsc::UnboundedReceiver<Arc<E>>> {
        let live = self.0.live.borrow();
        let live = live.as_ref()?;
        let partition = entity.partition(self.0.host.partitions);
        live.owned
            .contains(&partition)
            .then(|| live.watchers.every(entity))
    }

    /// Asks an entity, whoever owns it. The answer is durable.
    ///
    /// # Errors
    /// [`Unavailable`] where no owner answered in time or a limit was reached: the outcome is
    /// unknown, and the same request id may be asked again.
    pub async fn ask(
        &self,
        ask: Ask<E::Command>,
    ) -> Result<Result<E::Reply, Refusal>, Unavailable> {
        let until = Instant::now() + self.0.host.limits.ask_wait();
        let settle_until = ask.settle.map(|settle| Instant::now() + settle);
        let mut question = self.question(ask);
        loop {
            let reason = match self.try_ask(&mut question, settle_until).await {
                Ok(answer) => return Ok(answer),
                Err(Try::Final(reason)) => return Err(Unavailable { reason }),
                Err(Try::Again(reason)) => reason,
            };
            if Instant::now() >= until || self.0.closed.load(Ordering::Acquire) {
                return Err(Unavailable { reason });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn question(&self, ask: Ask<E::Command>) -> Question<E> {
        let host = &self.0.host;
        let request_id = ask.request_id.unwrap_or_else(|| {
            if matches!(ask.target, Target::New { .. }) {
                RequestId::from(CREATION)
            } else if E::remembers(&ask.command) {
                RequestId::from(host.ids.uuid(host.clock.now()).to_string())
            } else {
                RequestId::from("ask")
            }
        });
        let (entity, creation) = match ask.target {
            Target::Entity(entity) => (Some(entity), None),
            Target::New { key } => (None, key),
        };
        Question {
            entity,
            fresh: false,
            creation,
            request_id,
            origin: ask.origin,
            command: ask.command,
            traceparent: ask.traceparent,
        }
    }

    async fn try_ask(
        &self,
        question: &mut Question<E>,
        settle_until: Option<Instant>,
    ) -> Result<Answer<E>, Try> {
        let host = &self.0.host;
        let live = self.0.live.borrow().clone();
        let partition = match (&question.entity, &question.creation) {
            (Some(entity), _) => entity.partition(host.partitions),
            (None, Some(key)) => key.partition(host.partitions),
            (None, None) => {
                // Born where it lives: in a partition of this process, where it owns any.
                let wanted = |p| live.as_ref().is_none_or(|live| live.owned.contains(&p));
                let entity = draw(&*host.ids, &*host.clock, host.partitions, wanted);
                let partition = entity.partition(host.partitions);
                question.entity = Some(entity);
                question.fresh = true;
                partition
            }
        };
        match live {
            Some(live) if live.owned.contains(&partition) => {
                let answer = ask_here(&live, partition, question, settle_until).await;
                // Asked once, the database may know it.
                question.fresh = false;
                answer
            }
            _ if self.0.closed.load(Ordering::Acquire) => Err(Try::Final("stopping".into())),
            _ => asking::ask::<E>(
                &*host.bus,
                partition,
                question,
                settle_until,
                host.clock.now(),
            )
            .await
            .map_err(Try::Again),
        }
    }

    /// Answers a question that came from another process, where this one owns the entity.
    pub(super) async fn answer_here(
        &self,
        mut question: Question<E>,
        partition: Partition,
        settle: Option<Duration>,
    ) -> Result<Answer<E>, String> {
        let live = self.0.live.borrow().clone();
        let Some(live) = live.filter(|live| live.owned.contains(&partition)) else {
            return Err("not the owner any more".into());
        };
        let settle_until = settle.map(|settle| Instant::now() + settle);
        match ask_here(&live, partition, &mut question, settle_until).await {
            Ok(answer) => Ok(answer),
            Err(Try::Again(reason) | Try::Final(reason)) => Err(reason),
        }
    }
}

/// A question on its way.
pub(super) struct Question<E: Entity> {
    pub(super) entity: Option<EntityId>,
    pub(super) fresh: bool,
    pub(super) creation: Option<CreationKey>,
    pub(super) request_id: RequestId,
    pub(super) origin: Origin,
    pub(super) command: E::Command,
    pub(super) traceparent: Option<String>,
}

/// Why a question was not answered.
enum Try {
    /// It may be put again.
    Again(String),
    /// A limit was reached, or it cannot be carried out.
    Final(String),
}

async fn ask_here<E: Entity>(
    live: &Live<E>,
    partition: Partition,
    question: &mut Question<E>,
    settle_until: Option<Instant>,
) -> Result<Answer<E>, Try> {
    let Ok(permit) = Arc::clone(&live.places).try_acquire_owned() else {
        return Err(Try::Final("too many requests are under way".into()));
    };
    let (sender, receiver) = oneshot::channel();
    let job = Job {
        // A creation under a key gets its id from the intake, which knows the keys.
        entity: question
            .entity
            .clone()
            .unwrap_or_else(|| EntityId::from("")),
        partition,
        request_id: question.request_id.clone(),
        origin: question.origin,
        command: question.command.clone(),
        source: None,
        traceparent: question.traceparent.clone(),
        creation: question.creation.clone(),
        fresh: question.fresh,
        resent: false,
        route: Route::Ask(sender),
        permit: Some(permit),
    };
    let again = || Try::Again("the owner of this entity is starting again".into());
    live.jobs.send(job).await.map_err(|_| again())?;
    let answered = receiver.await.map_err(|_| again())?;
    let answer = answered.answer.map_err(Try::Final)?;
    let (Some(until), Some(settled)) = (settle_until, answered.settled) else {
        return Ok(answer);
    };
    match tokio::time::timeout_at(until, settled).await {
        Ok(Ok(answer)) => Ok(answer),
        // The session ended: the next one knows more.
        Ok(Err(_)) => Err(again()),
        Err(_) => Ok(answer),
    }
}
