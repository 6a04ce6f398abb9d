//! A service in a process: it owns partitions, and runs sessions one after another.
//!
//! It outlives its sessions. How its entities are asked is in `question`.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use messages::{EntityId, Partition};
use tokio::sync::{mpsc, watch};

use super::{
    Limits,
    dead::Aside,
    failures::Failures,
    journal::End,
    session::{self, Live},
    share::Share,
};
use crate::{
    bus::Bus,
    entity::Entity,
    outside::Outside,
    seams::{Clock, Ids},
    store::{Database, Store, StoreFault, Writer},
};

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
    /// Where the journals of its services run, if not beside everything else: on threads of their
    /// own, one of which a commit to SQLite keeps until it is done.
    pub journals: Option<tokio::runtime::Handle>,
}

impl Host {
    pub(super) fn share(&self) -> Share {
        Share::new(self.partitions, self.partitions_max)
    }
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

    pub(super) fn live(&self) -> Option<Arc<Live<E>>> {
        self.0.live.borrow().clone()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::Acquire)
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
        let mut due = None;
        let mut failures = Failures::new();
        while !*stop.borrow() {
            let attempt = tokio::select! {
                // In this order, so that a run under a seed is always the same.
                biased;
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                attempt = self.own(kept.take(), due.take()) => attempt,
            };
            let (writer, owned) = match attempt {
                Ok(owning) => owning,
                Err(StoreFault::Misconfigured(reason)) => return Err(StartError(reason)),
                Err(error) => {
                    if failures.is_news(&error.to_string()) {
                        tracing::warn!(service = %E::SERVICE, %error, "not an owner yet, trying again");
                    }
                    tokio::select! {
                        biased;
                        () = tokio::time::sleep(STANDBY) => {}
                        _ = stop.wait_for(|stop| *stop) => return Ok(()),
                    }
                    continue;
                }
            };
            failures.begin();
            match session::run(self, writer, owned, careful, stop.clone()).await {
                Ok(ended) => {
                    careful = 0;
                    match ended.end {
                        End::Finished => {}
                        End::Rebalance(wanted) => (kept, due) = (ended.writer, Some(wanted)),
                        End::Careful(n) => careful = n,
                        End::Fault(reason) => {
                            let pause = failures.pause();
                            if failures.is_news(&reason) {
                                tracing::warn!(service = %E::SERVICE, reason, "loading everything again from the database");
                            }
                            tokio::time::sleep(pause).await;
                        }
                    }
                }
                Err(error) => {
                    let pause = failures.pause();
                    if failures.is_news(&error.to_string()) {
                        tracing::warn!(service = %E::SERVICE, %error, "the database is away");
                    }
                    tokio::time::sleep(pause).await;
                }
            }
        }
        Ok(())
    }

    /// Connects the writer and takes so many partitions as are due, or this process's fair share;
    /// waits until there is one.
    async fn own(
        &self,
        kept: Option<Box<dyn Writer>>,
        mut due: Option<u16>,
    ) -> Result<(Box<dyn Writer>, BTreeSet<Partition>), StoreFault> {
        let host = self.host();
        let mut writer = match kept {
            Some(writer) => writer,
            None => self.0.store.writer().await?,
        };
        loop {
            let wanted = match due.take() {
                Some(due) => due,
                None => host.share().fair(writer.members().await?.all),
            };
            let mut owned = writer.claim(host.partitions, wanted).await?;
            let surplus = owned
                .iter()
                .rev()
                .take(owned.len().saturating_sub(usize::from(wanted)))
                .copied()
                .collect::<BTreeSet<_>>();
            if !surplus.is_empty() {
                writer.release(&surplus).await?;
                owned.retain(|partition| !surplus.contains(partition));
            }
            if !owned.is_empty() {
                return Ok((writer, owned));
            }
            writer.want(true).await?;
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
}
