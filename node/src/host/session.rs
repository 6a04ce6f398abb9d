//! One life of a service in a process: from the lock on its partitions to their end.
//!
//! Everything in memory belongs to a session. Where anything fails the session ends, its actors
//! and channels are dropped with their state, and the next begins from the database.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use messages::Partition;
use ractor::Actor as _;
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
};

use super::{
    Host,
    actor::Supervisor,
    alarms,
    answers::Answers,
    asking,
    calls::{Caller, Calls, Owing},
    intake::Intake,
    job::Job,
    journal::{End, Journal},
    lane::Lanes,
    newcomers::Newcomers,
    progress::Progress,
    publisher::Publisher,
    reader::{Stopped, StreamReader},
    recovery,
    schedule::Schedule,
    service::Service,
    teller::Teller,
    telling::Telling,
    watchers::Watchers,
};
use crate::{
    entity::Entity,
    failpoint::{self, Point},
    store::{Standing, Store, StoreFault, Writer},
    telemetry::names,
};

/// How often a stop looks whether all is done.
const STOP_LOOK: Duration = Duration::from_millis(5);

/// The part of a session that the edge talks to.
pub(super) struct Live<E: Entity> {
    pub(super) owned: BTreeSet<Partition>,
    pub(super) jobs: mpsc::Sender<Job<E>>,
    pub(super) places: Arc<Semaphore>,
    pub(super) watchers: Arc<Watchers<E>>,
    pub(super) following: Arc<AtomicBool>,
}

/// How a session ended.
pub(super) struct Ended {
    pub(super) end: End,
    /// The writer, where its locks may be kept.
    pub(super) writer: Option<Box<dyn Writer>>,
}

/// Runs one session on the partitions that the writer owns.
pub(super) async fn run<E: Entity>(
    service: &Service<E>,
    mut writer: Box<dyn Writer>,
    owned: BTreeSet<Partition>,
    careful: usize,
    mut stop: watch::Receiver<bool>,
) -> Result<Ended, StoreFault> {
    let host = service.host();
    let store = service.store();
    let standings = writer.standings(&owned).await?;
    let lanes = Lanes::new(Arc::clone(&host.bus), &host.limits);
    let (calls, due) = Calls::new();
    let schedule = Schedule::new(
        Arc::clone(&lanes),
        Arc::clone(&calls),
        Arc::clone(&host.clock),
        Arc::clone(&host.ids),
        host.partitions,
        &host.limits,
    );
    let recovered = recovery::recover::<E>(&*store, &schedule, &owned).await?;
    let newcomers = Newcomers::from::<E>(&*store, host.limits.remembered_max).await?;
    failpoint::reach(E::SERVICE.name(), Point::Recovered);
    tracing::info!(
        service = %E::SERVICE,
        partitions = owned.len(),
        owing = recovered,
        "owning partitions {}",
        owned.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    );
    let session = Session::start(
        service,
        host,
        store,
        writer,
        standings,
        careful,
        lanes,
        schedule,
        newcomers,
        (calls, due),
    )
    .await;
    let ended = session.run(service, owned, &mut stop).await;
    service.set_live(None);
    Ok(ended)
}

struct Session<E: Entity> {
    host: Host,
    lanes: Arc<Lanes>,
    calls: Arc<Calls<E>>,
    telling: Arc<Telling>,
    watchers: Arc<Watchers<E>>,
    places: Arc<Semaphore>,
    following: Arc<AtomicBool>,
    jobs: mpsc::Sender<Job<E>>,
    faults: mpsc::UnboundedReceiver<String>,
    supervisor: ractor::ActorRef<()>,
    journal: tokio::task::JoinHandle<(End, Option<Box<dyn Writer>>)>,
    finish: Arc<tokio::sync::Notify>,
    tasks: JoinSet<()>,
    reading: tokio::task::JoinHandle<()>,
}

impl<E: Entity> Session<E> {
    #[expect(
        clippy::too_many_arguments,
        reason = "the parts that a session is put together from"
    )]
    async fn start(
        service: &Service<E>,
        host: &Host,
        store: Arc<dyn Store>,
        writer: Box<dyn Writer>,
        standings: BTreeMap<Partition, Standing>,
        careful: usize,
        lanes: Arc<Lanes>,
        schedule: Arc<Schedule<E>>,
        newcomers: Newcomers,
        (calls, due): (Arc<Calls<E>>, mpsc::UnboundedReceiver<Owing<E>>),
    ) -> Self {
        let (faults_sender, faults) = mpsc::unbounded_channel::<String>();
        let (decisions_sender, decisions) = mpsc::unbounded_channel();
        let (jobs, jobs_receiver) = mpsc::channel::<Job<E>>(host.limits.in_flight_max);
        let places = Arc::new(Semaphore::new(host.limits.in_flight_max));
        let progress = Arc::new(Mutex::new(Progress::default()));
        let watchers = Arc::new(Watchers::default());
        let following = Arc::new(AtomicBool::new(false));
        let finish = Arc::new(tokio::sync::Notify::new());
        let mut tasks = JoinSet::new();

        let (telling, queue) = Telling::new(host.limits.in_flight_max * 4);
        let teller = Teller::<E>::new(queue, host, Arc::clone(&store), &standings);
        tasks.spawn(teller.run());

        let (durable_sender, durable) = mpsc::unbounded_channel();
        let (finished_sender, finished) = mpsc::unbounded_channel();
        let publisher = Publisher {
            durable,
            aside: service.aside(),
            answers: answers(host, &lanes, &watchers, &standings),
            schedule: Arc::clone(&schedule),
            telling: Arc::clone(&telling),
            finished: finished_sender,
        };
        tasks.spawn(publisher.run());

        let journal = Journal {
            writer,
            decisions,
            numbers: numbers(&standings),
            progress: Arc::clone(&progress),
            aside: service.aside(),
            telling: Arc::clone(&telling),
            durable: durable_sender,
            bus: Arc::clone(&host.bus),
            limits: host.limits.clone(),
            partitions: host.partitions,
            share: host.share(),
            careful,
            finish: Arc::clone(&finish),
        };
        let runtime = host.journals.clone();
        let runtime = runtime.unwrap_or_else(tokio::runtime::Handle::current);
        let journal = runtime.spawn(journal.run());

        let (supervisor, _) = Supervisor::spawn(None, Supervisor, faults_sender.clone())
            .await
            .expect("a supervisor always starts");
        let intake = Intake::new(
            host,
            store,
            decisions_sender,
            supervisor.get_cell(),
            newcomers,
            finished,
        );
        tasks.spawn(take_in(intake, jobs_receiver, faults_sender.clone()));

        let reader = StreamReader {
            bus: Arc::clone(&host.bus),
            jobs: jobs.clone(),
            places: Arc::clone(&places),
            progress,
            schedule: Arc::clone(&schedule),
            aside: service.aside(),
            limits: host.limits.clone(),
            partitions: host.partitions,
            standings: standings.clone(),
            stream_identity: None,
            following: Arc::clone(&following),
        };
        let faults_of_reader = faults_sender;
        let reading = tokio::spawn(async move {
            if let Stopped::Forgotten = reader.run().await {
                let _ = faults_of_reader.send("the broker forgot messages".to_owned());
            }
        });

        tasks.spawn(Caller::of(service, &calls, &jobs, &places).run(due));

        // Alarms and asks hold their own way into the intake; they end when the session aborts them.
        let owners = standings.keys().copied().collect();
        tasks.spawn(asking::serve(
            service.clone(),
            Arc::clone(&host.bus),
            owners,
        ));
        tasks.spawn(alarms::raise(schedule, jobs.clone(), host.partitions));
        Self {
            host: host.clone(),
            lanes,
            calls,
            telling,
            watchers,
            places,
            following,
            jobs,
            faults,
            supervisor,
            journal,
            finish,
            tasks,
            reading,
        }
    }

    /// Serves until it is to stop or something fails.
    async fn run(
        mut self,
        service: &Service<E>,
        owned: BTreeSet<Partition>,
        stop: &mut watch::Receiver<bool>,
    ) -> Ended {
        metrics::gauge!(names::PARTITIONS_OWNED, "service" => E::SERVICE.name())
            .set(f64::from(u32::try_from(owned.len()).unwrap_or(u32::MAX)));
        service.set_live(Some(Arc::new(Live {
            owned,
            jobs: self.jobs.clone(),
            places: Arc::clone(&self.places),
            watchers: Arc::clone(&self.watchers),
            following: Arc::clone(&self.following),
        })));
        let ended = tokio::select! {
            // In this order, so that a run under a seed is always the same.
            biased;
            _ = stop.wait_for(|stop| *stop) => None,
            Some(fault) = self.faults.recv() => Some(Ended { end: End::Fault(fault), writer: None }),
            ended = &mut self.journal => Some(match ended {
                Ok((end, writer)) => Ended { end, writer },
                Err(error) => Ended { end: End::Fault(format!("the journal panicked: {error}")), writer: None },
            }),
        };
        let ended = match ended {
            Some(ended) => ended,
            None => self.finish(service).await,
        };
        self.tear_down(service);
        ended
    }

    /// Takes nothing new, finishes what is under way, and commits it.
    async fn finish(&mut self, service: &Service<E>) -> Ended {
        self.reading.abort();
        self.calls.close();
        service.close();
        let all = self.host.limits.in_flight_max;
        let (places, lanes, telling) = (&self.places, &self.lanes, &self.telling);
        let idle = async {
            while places.available_permits() < all {
                tokio::time::sleep(STOP_LOOK).await;
            }
            while !(lanes.is_empty() && telling.is_idle()) {
                tokio::time::sleep(STOP_LOOK).await;
            }
        };
        if tokio::time::timeout(self.host.limits.stop_wait(), idle)
            .await
            .is_err()
        {
            tracing::warn!(service = %E::SERVICE, "stopping with work under way: it goes on at the next start");
        }
        self.finish.notify_one();
        match tokio::time::timeout(self.host.limits.stop_wait(), &mut self.journal).await {
            Ok(Ok((end, writer))) => {
                if let Some(writer) = writer {
                    writer.close().await;
                }
                Ended { end, writer: None }
            }
            _ => Ended {
                end: End::Fault("the journal did not finish".into()),
                writer: None,
            },
        }
    }

    fn tear_down(mut self, service: &Service<E>) {
        service.set_live(None);
        metrics::gauge!(names::PARTITIONS_OWNED, "service" => E::SERVICE.name()).set(0.0);
        self.following.store(false, Ordering::Release);
        self.reading.abort();
        self.journal.abort();
        self.tasks.abort_all();
        self.lanes.close();
        self.watchers.clear();
        self.supervisor.stop(None);
    }
}

/// The last ledger numbers of the partitions.
fn numbers(standings: &BTreeMap<Partition, Standing>) -> BTreeMap<Partition, i64> {
    standings
        .iter()
        .map(|(partition, standing)| (*partition, standing.number))
        .collect()
}

/// The answers of a session that begins where the last one ended.
fn answers<E: Entity>(
    host: &Host,
    lanes: &Arc<Lanes>,
    watchers: &Arc<Watchers<E>>,
    standings: &BTreeMap<Partition, Standing>,
) -> Answers<E> {
    let committed = standings
        .iter()
        .filter_map(|(partition, standing)| Some((*partition, standing.inbox.as_ref()?.sequence)));
    Answers::new(
        Arc::clone(lanes),
        Arc::clone(watchers),
        host.limits.busy_max,
        committed.collect(),
    )
}

/// Runs the intake for as long as it can; what it fails of is a fault of the session.
async fn take_in<E: Entity>(
    intake: Intake<E>,
    jobs: mpsc::Receiver<Job<E>>,
    faults: mpsc::UnboundedSender<String>,
) {
    if let Err(fault) = intake.run(jobs).await {
        let _ = faults.send(fault.to_string());
    }
}
