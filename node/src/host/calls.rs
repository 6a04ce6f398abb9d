//! Calls to the outside world: carried out by the service's handler, some at a time, outside any
//! actor. What comes of one enters the intake as a command to the entity that owes it.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use futures::FutureExt as _;
use messages::{EntityId, Origin};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};

use super::{
    Limits,
    job::{Job, Route},
    service::Service,
};
use crate::{
    entity::Entity,
    failpoint::{self, Point},
    outside::{Call, Outside},
    telemetry::names,
};

/// A call that is owed, and the state that owes it.
pub(super) struct Owing<E: Entity> {
    pub(super) entity: EntityId,
    pub(super) call: Call,
    pub(super) state: Arc<E>,
    made: Arc<Made>,
}

// By hand, since the derived one would ask the same of `E`.
impl<E: Entity> Clone for Owing<E> {
    fn clone(&self) -> Self {
        Self {
            entity: self.entity.clone(),
            call: self.call.clone(),
            state: Arc::clone(&self.state),
            made: Arc::clone(&self.made),
        }
    }
}

/// How often a call was made, whether it waits to be or is under way, and whether it is owed no
/// longer.
#[derive(Default)]
struct Made {
    times: AtomicU32,
    under_way: AtomicBool,
    settled: AtomicBool,
}

impl<E: Entity> Owing<E> {
    /// `before` says that an earlier life may have made it.
    pub(super) fn new(entity: &EntityId, call: Call, state: &Arc<E>, before: bool) -> Self {
        Self {
            entity: entity.clone(),
            call,
            state: Arc::clone(state),
            made: Arc::new(Made {
                times: AtomicU32::new(before.into()),
                ..Made::default()
            }),
        }
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.made.under_way.load(Ordering::Acquire)
    }

    /// A committed state owes it no longer: where it still waits for its turn it is not made.
    pub(super) fn settle(&self) {
        self.made.settled.store(true, Ordering::Release);
    }
}

/// Takes the calls of a session that are to be made.
pub(super) struct Calls<E: Entity> {
    due: mpsc::UnboundedSender<Owing<E>>,
    closed: Arc<AtomicBool>,
}

impl<E: Entity> Calls<E> {
    /// Calls, and the end that [`Caller`] makes them from.
    pub(super) fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<Owing<E>>) {
        let (due, receiver) = mpsc::unbounded_channel();
        let closed = Arc::new(AtomicBool::new(false));
        (Arc::new(Self { due, closed }), receiver)
    }

    /// Has a call made.
    pub(super) fn put(&self, owing: &Owing<E>) {
        if self.closed.load(Ordering::Acquire) {
            return;
        }
        owing.made.under_way.store(true, Ordering::Release);
        // The other end is gone when the session has ended: the next one makes what is owed.
        let _ = self.due.send(owing.clone());
    }

    /// Begins no more calls; those under way go on.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }
}

/// Makes the calls of a session.
pub(super) struct Caller<E: Entity> {
    outside: Option<Arc<dyn Outside<E>>>,
    calls: Arc<Calls<E>>,
    jobs: mpsc::Sender<Job<E>>,
    /// The places of commands: an outcome takes one too, so that a stop waits for it.
    places: Arc<Semaphore>,
    limits: Limits,
    partitions: u16,
}

impl<E: Entity> Caller<E> {
    pub(super) fn of(
        service: &Service<E>,
        calls: &Arc<Calls<E>>,
        jobs: &mpsc::Sender<Job<E>>,
        places: &Arc<Semaphore>,
    ) -> Self {
        let host = service.host();
        Self {
            outside: service.outside(),
            calls: Arc::clone(calls),
            jobs: jobs.clone(),
            places: Arc::clone(places),
            limits: host.limits.clone(),
            partitions: host.partitions,
        }
    }

    /// Makes what is due until the session ends.
    pub(super) async fn run(self, mut due: mpsc::UnboundedReceiver<Owing<E>>) {
        let gate = Arc::new(Semaphore::new(self.limits.calls_max));
        let this = Arc::new(self);
        let mut under_way = JoinSet::new();
        while let Some(owing) = due.recv().await {
            let Ok(permit) = Arc::clone(&gate).acquire_owned().await else {
                return;
            };
            while under_way.try_join_next().is_some() {}
            let this = Arc::clone(&this);
            under_way.spawn(async move {
                this.make(&owing).await;
                owing.made.under_way.store(false, Ordering::Release);
                drop(permit);
            });
        }
    }

    async fn make(&self, owing: &Owing<E>) {
        let Ok(mut place) = Arc::clone(&self.places).acquire_owned().await.map(Some) else {
            return;
        };
        let settled = owing.made.settled.load(Ordering::Acquire);
        if settled || self.calls.closed.load(Ordering::Acquire) {
            return;
        }
        let Some(outside) = &self.outside else {
            tracing::error!(service = %E::SERVICE, entity = %owing.entity, "a call is owed, and nobody to make it");
            return;
        };
        let again = owing.made.times.fetch_add(1, Ordering::AcqRel) > 0;
        failpoint::reach(E::SERVICE.name(), Point::Calling);
        let call = outside.call(&owing.state, &owing.call, again);
        // A handler that panics leaves its call owed, and holds up no other.
        let call = AssertUnwindSafe(call).catch_unwind();
        let told = match tokio::time::timeout(self.limits.call_wait(), call).await {
            Ok(Ok(told)) => told,
            Ok(Err(_)) => {
                tracing::error!(service = %E::SERVICE, entity = %owing.entity, call = %owing.call.id, "a call panicked");
                Vec::new()
            }
            Err(_) => Vec::new(),
        };
        failpoint::reach(E::SERVICE.name(), Point::Called);
        let outcome = if told.is_empty() { "unknown" } else { "known" };
        metrics::counter!(names::CALLS, "service" => E::SERVICE.name(), "outcome" => outcome)
            .increment(1);
        for command in told {
            let job = Job {
                partition: owing.entity.partition(self.partitions),
                entity: owing.entity.clone(),
                request_id: owing.call.id.clone(),
                origin: Origin::Saga,
                command,
                source: None,
                traceparent: owing.call.traceparent.clone(),
                creation: None,
                fresh: false,
                resent: again,
                route: Route::Own,
                permit: place.take(),
            };
            if self.jobs.send(job).await.is_err() {
                return;
            }
        }
    }
}
