//! The actor of one entity: it alone holds the state, decides in memory and never waits.
//!
//! When its entity is put away an actor may become another's, since to start one costs more than
//! an order's whole deciding. It is one entity's at a time, and nothing of the one before is left.
//!
//! A panic while deciding leaves the state as it was: the command is answered as broken and put
//! aside, and the actor goes on.

use std::{
    collections::{HashMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use messages::{Body as _, Digest, EntityId, Origin, Refusal, RequestId};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use serde::Serialize;
use tokio::sync::mpsc;

use super::job::{Answer, Decision, Effect, Known, Work};
use crate::{
    entity::{Context, Entity, Prior},
    failpoint::{self, Point},
    store::LedgerRow,
};

/// What an actor is told.
pub(super) enum Message<E: Entity> {
    /// To be another entity's from now on; nothing of the one before is under way.
    Become(Box<Start<E>>),
    /// To decide.
    Decide(Box<Work<E>>),
}

/// What an actor starts with.
pub(super) struct Start<E: Entity> {
    pub(super) id: EntityId,
    pub(super) state: E,
    pub(super) version: i64,
    pub(super) decisions: mpsc::UnboundedSender<Decision<E>>,
}

pub(super) struct EntityActor<E>(std::marker::PhantomData<E>);

impl<E> EntityActor<E> {
    pub(super) const fn new() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<E: Entity> Actor for EntityActor<E> {
    type Msg = Message<E>;
    type State = Live<E>;
    type Arguments = Start<E>;

    async fn pre_start(
        &self,
        _: ActorRef<Self::Msg>,
        start: Start<E>,
    ) -> Result<Live<E>, ActorProcessingErr> {
        Ok(Live::new(start))
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        message: Message<E>,
        live: &mut Live<E>,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Become(start) => *live = Live::new(*start),
            Message::Decide(work) => {
                let decision = live.handle(*work);
                failpoint::reach(E::SERVICE.name(), Point::Decided);
                // Nobody listens any more when the session has ended: then nothing may be answered
                // either.
                let _ = live.decisions.send(decision);
            }
        }
        Ok(())
    }
}

/// Watches over the actors of a session: one that dies ends the session, and all begin anew.
pub(super) struct Supervisor;

impl Actor for Supervisor {
    type Msg = ();
    type State = mpsc::UnboundedSender<String>;
    type Arguments = mpsc::UnboundedSender<String>;

    async fn pre_start(
        &self,
        _: ActorRef<()>,
        faults: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(faults)
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        event: SupervisionEvent,
        faults: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(_, error) = event {
            let _ = faults.send(format!("an actor failed: {error}"));
        }
        Ok(())
    }
}

/// A change that was decided and may not be found in the ledger yet.
struct Recent<C> {
    version: i64,
    change: C,
    digest: Option<Digest>,
}

/// The state of an actor.
pub(super) struct Live<E: Entity> {
    id: EntityId,
    state: Arc<E>,
    version: i64,
    recent: HashMap<(Origin, RequestId), Recent<E::Change>>,
    recent_order: VecDeque<(i64, (Origin, RequestId))>,
    decisions: mpsc::UnboundedSender<Decision<E>>,
}

impl<E: Entity> Live<E> {
    pub(super) fn new(start: Start<E>) -> Self {
        Self {
            id: start.id,
            state: Arc::new(start.state),
            version: start.version,
            recent: HashMap::new(),
            recent_order: VecDeque::new(),
            decisions: start.decisions,
        }
    }

    /// Decides a command, and keeps what was decided until the ledger is sure to be asked for it.
    pub(super) fn handle(&mut self, mut work: Work<E>) -> Decision<E> {
        self.forget(work.durable);
        // The same trace on every node: an order can be followed across all of them.
        let span = tracing::debug_span!(
            "command",
            service = E::SERVICE.name(),
            kind = work.job.command.kind(),
            entity = %self.id,
            request_id = %work.job.request_id,
            traceparent = work.job.traceparent.as_deref(),
        );
        let _entered = span.enter();
        let (effects, answer) = match catch_unwind(AssertUnwindSafe(|| self.decide(&work))) {
            Ok((state, effects, recent, answer)) => {
                self.version += i64::try_from(effects.len()).expect("few changes a command");
                self.state = state;
                for (key, recent) in recent {
                    self.recent_order.push_back((recent.version, key.clone()));
                    self.recent.insert(key, recent);
                }
                (effects, Ok(answer))
            }
            Err(panic) => (Vec::new(), Err(panic_message(&*panic))),
        };
        tracing::debug!(changes = effects.len(), version = self.version, "decided");
        Decision {
            creation: work.creation.take().filter(|_| !effects.is_empty()),
            job: work.job,
            slot: work.slot,
            effects,
            state: Arc::clone(&self.state),
            answer,
            at: work.now,
        }
    }

    #[expect(
        clippy::type_complexity,
        reason = "the parts of a decision, taken apart by the one caller"
    )]
    fn decide(
        &self,
        work: &Work<E>,
    ) -> (
        Arc<E>,
        Vec<Effect>,
        Vec<((Origin, RequestId), Recent<E::Change>)>,
        Answer<E>,
    ) {
        let unchanged = |answer| (Arc::clone(&self.state), Vec::new(), Vec::new(), answer);
        if work.mismatch {
            return unchanged(Err(Refusal::RequestMismatch));
        }
        let prior = self.prior(work);
        let job = &work.job;
        let context = Context {
            prior,
            request_id: &job.request_id,
            origin: job.origin,
            source: job.source.as_ref(),
            traceparent: job.traceparent.as_deref(),
            now: work.now,
            resent: job.resent,
        };
        let changes = match self.state.decide(&job.command, &context) {
            Ok(changes) => changes,
            Err(refusal) => return unchanged(Err(refusal)),
        };
        if changes.is_empty() {
            if prior.change().is_some() {
                metrics::counter!(crate::telemetry::names::REPEATS, "service" => E::SERVICE.name())
                    .increment(1);
            }
            return unchanged(Ok(self.state.reply(prior.change())));
        }
        let mut state = E::clone(&self.state);
        let mut effects = Vec::with_capacity(changes.len());
        let mut recent = Vec::with_capacity(changes.len());
        for (n, change) in (1..).zip(&changes) {
            state.apply(change, work.now);
            let version = self.version + n;
            let record = E::record(change);
            // A row under another id closes that id, whatever body may come with it.
            let digest = if record.request_id.is_none() {
                work.digest
            } else {
                None
            };
            let request_id = record.request_id.unwrap_or_else(|| job.request_id.clone());
            if E::remembers(&job.command) {
                recent.push((
                    (job.origin, request_id.clone()),
                    Recent {
                        version,
                        change: change.clone(),
                        digest,
                    },
                ));
            }
            effects.push(Effect {
                event: E::event(&self.id, change),
                touches: state.touches(change),
                row: LedgerRow {
                    partition: job.partition,
                    number: 0,
                    entity: self.id.clone(),
                    version,
                    origin: job.origin,
                    request_id,
                    digest,
                    kind: record.kind.to_owned(),
                    order_id: record.order_id,
                    amount: record.amount,
                    balance: record.balance,
                    body: written(change),
                    at: work.now,
                },
            });
        }
        let answer = state.reply(changes.first());
        (Arc::new(state), effects, recent, Ok(answer))
    }

    /// What is known of a request: from the ledger, or decided and not yet sure to be found there.
    fn prior<'a>(&'a self, work: &'a Work<E>) -> Prior<'a, E::Change> {
        let job = &work.job;
        let Known { own, counterpart } = &work.known;
        let recent = |id: &RequestId| self.recent.get(&(job.origin, id.clone()));
        let own = own
            .as_ref()
            .map(|(change, digest)| (change, *digest))
            .or_else(|| recent(&job.request_id).map(|recent| (&recent.change, recent.digest)));
        match own {
            Some((_, Some(digest))) if work.digest.is_some_and(|now| now != digest) => {
                return Prior::OtherBody;
            }
            Some((change, _)) => return Prior::Done(change),
            None => {}
        }
        counterpart
            .as_ref()
            .or_else(|| {
                job.request_id
                    .counterpart()
                    .and_then(|id| recent(&id))
                    .map(|recent| &recent.change)
            })
            .map_or(Prior::New, Prior::Counterpart)
    }

    /// Forgets what every look into the ledger from now on will find there.
    fn forget(&mut self, durable: i64) {
        while let Some((version, _)) = self.recent_order.front()
            && *version <= durable
        {
            if let Some((_, key)) = self.recent_order.pop_front() {
                self.recent.remove(&key);
            }
        }
    }
}

/// A change as the ledger keeps it: JSON.
fn written(change: &impl Serialize) -> String {
    // Room for that of an order: what grows is moved.
    let mut json = Vec::with_capacity(768);
    serde_json::to_writer(&mut json, change).expect("changes are plain data");
    String::from_utf8(json).expect("JSON is UTF-8")
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panicked".to_owned())
}
