//! How an entity is asked, whoever owns it.
//!
//! An ask that was under way when a session ended is put to the next, under the same request id,
//! until its time is up.

use std::{sync::Arc, time::Duration};

use messages::{Digest, EntityId, Origin, Partition, Refusal, RequestId};
use serde::Serialize;
use tokio::{sync::oneshot, time::Instant};

use super::{
    Service, asking,
    creations::draw,
    job::{Answer, Job, Route},
    session::Live,
};
use crate::entity::{CREATION, Entity};

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

impl From<EntityId> for Target {
    fn from(entity: EntityId) -> Self {
        Self::Entity(entity)
    }
}

impl Target {
    /// One that is to be made by a call, under the caller's key where there is one: the key
    /// belongs to the call and to what its body came down to.
    pub fn made_by(call: &str, key: Option<String>, body: &impl Serialize) -> Self {
        let key = key.map(|key| CreationKey {
            call: call.to_owned(),
            key,
            digest: Digest::of(call, body),
        });
        Self::New { key }
    }
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

impl<E: Entity> Service<E> {
    /// Asks an entity, whoever owns it. The answer is durable.
    ///
    /// # Errors
    /// [`Unavailable`] where no owner answered in time or a limit was reached: the outcome is
    /// unknown, and the same request id may be asked again.
    pub async fn ask(
        &self,
        ask: Ask<E::Command>,
    ) -> Result<Result<E::Reply, Refusal>, Unavailable> {
        let until = Instant::now() + self.host().limits.ask_wait();
        let settle_until = ask.settle.map(|settle| Instant::now() + settle);
        let mut question = self.question(ask);
        loop {
            let reason = match self.try_ask(&mut question, settle_until).await {
                Ok(answer) => return Ok(answer),
                Err(Try::Final(reason)) => return Err(Unavailable { reason }),
                Err(Try::Again(reason)) => reason,
            };
            if Instant::now() >= until || self.is_closed() {
                return Err(Unavailable { reason });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn question(&self, ask: Ask<E::Command>) -> Question<E> {
        let host = self.host();
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
        let host = self.host();
        let live = self.live();
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
            _ if self.is_closed() => Err(Try::Final("stopping".into())),
            // In a box of its own, so that asking here does not carry the room for it.
            _ => Box::pin(asking::ask::<E>(
                &*host.bus,
                partition,
                question,
                settle_until,
                host.clock.now(),
            ))
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
        let live = self.live();
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
    let again = || Try::Again("the owner of this entity is starting again".into());
    // A place first, so that nobody carries room for the job while there is none.
    let place = live.jobs.reserve().await.map_err(|_| again())?;
    place.send(Job {
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
    });
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
