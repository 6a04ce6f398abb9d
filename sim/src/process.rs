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
///
/// # Examples
/// How one's own participant is simulated: a hall sells its seats, under a seed, and its process
/// dies in the midst of it. Whoever had no answer asks again under the same key.
///
/// ```
/// use messages::{EntityId, Origin, Refusal, RequestId, Service, Timestamp};
/// use messages::product::{Adjust, AdjustReason, Adjusted, Command, Reply};
/// use node::entity::{Context, Entity, Prior, Record};
/// use node::host::{Ask, Limits, Target};
/// use node::table::{Column, Reader, Row, RowError, Table};
/// use onhand_sim::{Chance, Disk, Stage};
///
/// /// A hall, and how many of its seats are sold.
/// #[derive(Clone)]
/// struct Hall(i64);
///
/// #[derive(Clone, serde::Serialize, serde::Deserialize)]
/// struct Sold { left: i64 }
///
/// impl Entity for Hall {
///     const SERVICE: Service = Service::Product;
///     const TABLE: Table = Table {
///         name: "hall",
///         columns: &[Column::integer("sold")],
///         owing: false,
///         lines: None,
///         requests_first: true,
///     };
///     type Command = Command;
///     type Change = Sold;
///     type Reply = Reply;
///
///     fn new(_: &EntityId) -> Self { Self(0) }
///     fn decide(&self, _: &Command, context: &Context<'_, Sold>) -> Result<Vec<Sold>, Refusal> {
///         match context.prior {
///             Prior::Done(_) => Ok(vec![]),
///             _ if self.0 == 10 => Err(Refusal::InsufficientStock { available: 0, requested: 1 }),
///             _ => Ok(vec![Sold { left: 9 - self.0 }]),
///         }
///     }
///     fn apply(&mut self, _: &Sold, _: Timestamp) { self.0 += 1; }
///     fn reply(&self, change: Option<&Sold>) -> Reply {
///         Reply::Adjusted(Adjusted { remaining: change.map_or(10 - self.0, |sold| sold.left) })
///     }
///     fn remembers(_: &Command) -> bool { true }
///     fn record(_: &Sold) -> Record { Record { kind: "sold", ..Record::default() } }
///     fn event(_: &EntityId, _: &Sold) -> Option<(&'static str, Vec<u8>)> { None }
///     fn to_row(&self) -> Row { Row { values: vec![self.0.into()], lines: vec![] } }
///     fn from_row(_: &EntityId, row: Row) -> Result<Self, RowError> {
///         Reader::new(row.values).integer().map(Self)
///     }
/// }
///
/// async fn sell(seed: u64) -> i64 {
///     let (stage, disk) = (Stage::new(seed, 1), Disk::default());
///     let chance = Chance::new(seed, "deaths", 0);
///     let mut process = stage.start::<Hall>(&disk, Limits::default());
///     for buyer in 0..12 {
///         process.machine.life.end_after(chance.between(0, 20));
///         loop {
///             let ask = Ask {
///                 target: Target::Entity(EntityId::from("hall")),
///                 command: Command::Adjust(Adjust { delta: -1, reason: AdjustReason::Manual }),
///                 request_id: Some(RequestId::from(format!("buyer-{buyer}"))),
///                 origin: Origin::Client,
///                 settle: None,
///                 traceparent: None,
///             };
///             let (service, life) = (process.service.clone(), process.machine.life.clone());
///             let answer = tokio::select! {
///                 biased;
///                 () = life.over() => None,
///                 answer = service.ask(ask) => answer.ok(),
///             };
///             match answer {
///                 Some(Ok(_)) => assert!(buyer < 10),
///                 Some(Err(_)) => assert!(buyer >= 10),
///                 None => {
///                     process = stage.start(&disk, Limits::default());
///                     continue;
///                 }
///             }
///             break;
///         }
///     }
///     disk.read(|tables| tables.states[&EntityId::from("hall")].version)
/// }
///
/// let runtime = tokio::runtime::Builder::new_current_thread()
///     .enable_time()
///     .start_paused(true)
///     .build()
///     .unwrap();
/// for seed in 0..50 {
///     assert_eq!(runtime.block_on(sell(seed)), 10, "seed {seed}");
/// }
/// ```
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
            partitions_max: self.partitions,
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
    /// How many partitions of a service it owns at most.
    pub partitions_max: u16,
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
            partitions_max: self.partitions_max,
            journals: None,
        };
        self.access.bring_up_to_date(&E::TABLE);
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
