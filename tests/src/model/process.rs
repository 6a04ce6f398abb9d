//! A service's process in the model: started, stopped, killed.

use std::sync::Arc;

use ::node::{
    entity::Entity,
    host::{Host, Limits, Service, StartError},
    outside::Outside,
    seams::{Clock, Ids},
    store::Store,
};
use tokio::{sync::watch, task::JoinHandle};

use super::{Access, Broker, Client, Disk, SeededIds, VirtualClock};

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
        self.start_with(disk, limits, |service| service)
    }

    /// Starts a process of a service whose entities owe calls to the outside.
    pub fn start_calling<E: Entity>(
        &self,
        disk: &Disk,
        limits: Limits,
        outside: Arc<dyn Outside<E>>,
    ) -> Process<E> {
        self.start_with(disk, limits, |service| service.calling(outside))
    }

    fn start_with<E: Entity>(
        &self,
        disk: &Disk,
        limits: Limits,
        finish: impl FnOnce(Service<E>) -> Service<E>,
    ) -> Process<E> {
        let (client, access) = (self.broker.client(), disk.open());
        let host = Host {
            bus: Arc::clone(&client) as Arc<dyn ::node::bus::Bus>,
            clock: Arc::clone(&self.clock),
            ids: Arc::clone(&self.ids),
            limits,
            partitions: self.partitions,
            partitions_max: self.partitions,
            journals: None,
        };
        let service = Service::on(host, Arc::clone(&access) as Arc<dyn Store>, None);
        let service = finish(service);
        let (stop, stopping) = watch::channel(false);
        let running = tokio::spawn({
            let service = service.clone();
            async move { service.run(stopping).await }
        });
        Process {
            service,
            client,
            access,
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
    access: Arc<Access>,
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
        self.access.cut();
        self.client.cut();
        self.running.abort();
    }
}
