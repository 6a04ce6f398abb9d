//! A service's process in a simulation: started, stopped, killed, on a machine of its own.

use std::sync::Arc;

use node::{
    bus::Bus,
    entity::Entity,
    host::{Host, Limits, Service, StartError},
    outside::Outside,
    seams::{Clock, Ids},
    store::Store,
};
use tokio::{sync::watch, task::JoinHandle};

use crate::{Access, Broker, Client, Disk, Life, MachineClock, SeededIds, VirtualClock};

/// What all processes of a run share.
pub struct Stage {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub ids: Arc<dyn Ids>,
    /// The broker.
    pub broker: Broker,
    /// The number of partitions of every service.
    pub partitions: u16,
}

impl Stage {
    /// A stage under a seed.
    pub fn new(seed: u64, partitions: u16) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(VirtualClock::default());
        Self {
            broker: Broker::new(Arc::clone(&clock)),
            clock,
            ids: Arc::new(SeededIds::new(seed)),
            partitions,
        }
    }

    /// Starts a process of a service on its database.
    pub fn start<E: Entity>(&self, disk: &Disk, limits: Limits) -> Process<E> {
        self.machine(disk).run(limits, |service| service)
    }

    /// Starts a process of a service whose entities owe calls to the outside.
    pub fn start_calling<E: Entity>(
        &self,
        disk: &Disk,
        limits: Limits,
        outside: Arc<dyn Outside<E>>,
    ) -> Process<E> {
        self.machine(disk)
            .run(limits, |service| service.calling(outside))
    }

    /// What a process on this database runs on.
    pub fn machine(&self, disk: &Disk) -> Machine {
        let life = Arc::default();
        Machine {
            clock: Arc::new(MachineClock::new(Arc::clone(&self.clock))),
            client: self.broker.client(&life),
            access: disk.open(&life),
            life,
            ids: Arc::clone(&self.ids),
            partitions: self.partitions,
        }
    }
}

/// What one process runs on, and by what it can be hurt.
#[derive(Clone)]
pub struct Machine {
    /// Whether it lives.
    pub life: Arc<Life>,
    /// Its clock.
    pub clock: Arc<MachineClock>,
    /// Its connection to the broker.
    pub client: Arc<Client>,
    /// Its connections to its database.
    pub access: Arc<Access>,
    ids: Arc<dyn Ids>,
    partitions: u16,
}

impl Machine {
    /// Runs a service here; `finish` may give it what it needs besides.
    pub fn run<E: Entity>(
        self,
        limits: Limits,
        finish: impl FnOnce(Service<E>) -> Service<E>,
    ) -> Process<E> {
        let host = Host {
            bus: Arc::clone(&self.client) as Arc<dyn Bus>,
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            ids: Arc::clone(&self.ids),
            limits,
            partitions: self.partitions,
            partitions_max: self.partitions,
            journals: None,
        };
        let store = Arc::clone(&self.access) as Arc<dyn Store>;
        let service = finish(Service::on(host, store, None));
        let (stop, stopping) = watch::channel(false);
        let running = tokio::spawn({
            let service = service.clone();
            async move { service.run(stopping).await }
        });
        let handle = running.abort_handle();
        self.life.at_last(move || handle.abort());
        Process {
            service,
            client: Arc::clone(&self.client),
            machine: self,
            stop,
            running,
        }
    }
}

/// A process of one service.
pub struct Process<E: Entity> {
    /// The service as its edge sees it.
    pub service: Service<E>,
    /// Its connection to the broker.
    pub client: Arc<Client>,
    /// What it runs on.
    pub machine: Machine,
    stop: watch::Sender<bool>,
    running: JoinHandle<Result<(), StartError>>,
}

impl<E: Entity> Process<E> {
    /// Tells it to stop, and answers when it has.
    pub async fn stop(self) -> Result<(), StartError> {
        self.stop.send_replace(true);
        self.running.await.expect("a host does not panic")
    }

    /// Ends it at once: nothing that it does from now on reaches anybody.
    pub fn kill(self) {
        self.machine.life.end();
    }
}
