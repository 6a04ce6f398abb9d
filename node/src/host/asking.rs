//! Asks across processes: `ask.<service>.<partition>`, answered by the partition's owner.
//!
//! A request is a MessagePack array of what the host must know and of the command's envelope; the
//! answer likewise. The caller's request id makes a repeat safe.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use messages::{
    Body, Digest, EntityId, Envelope, Origin, Partition, RequestId, Subject, Timestamp, envelope,
    wire,
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{CreationKey, Service, Unavailable, job::Answer, question::Question};
use crate::{bus::Bus, entity::Entity};

/// How long an owner may take to commit, besides the wait for rest.
const COMMIT_WAIT: Duration = Duration::from_secs(5);
/// The entity of a creation whose id is not drawn yet.
const UNBORN: &str = "new";

/// What the owner must know besides the envelope.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    call: Option<String>,
    key: Option<String>,
    digest: Option<i64>,
    settle_ms: Option<u64>,
}

/// How the owner answers besides the envelope.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answered {
    unavailable: Option<String>,
}

/// Asks the owner of a partition, in whichever process it is.
pub(super) async fn ask<E: Entity>(
    bus: &dyn Bus,
    partition: Partition,
    question: &Question<E>,
    settle_until: Option<Instant>,
    now: Timestamp,
) -> Result<Answer<E>, String> {
    let settle = settle_until.map(|until| until.saturating_duration_since(Instant::now()));
    let asked = Asked {
        call: question.creation.as_ref().map(|key| key.call.clone()),
        key: question.creation.as_ref().map(|key| key.key.clone()),
        digest: question.creation.as_ref().map(|key| key.digest.stored()),
        settle_ms: settle.map(|settle| u64::try_from(settle.as_millis()).unwrap_or(u64::MAX)),
    };
    let envelope = Envelope {
        request_id: question.request_id.clone(),
        entity: question
            .entity
            .clone()
            .unwrap_or_else(|| EntityId::from(UNBORN)),
        source: None,
        origin: question.origin,
        reply_to: None,
        causation: None,
        traceparent: question.traceparent.clone(),
        at: now,
        body: question.command.clone(),
    };
    let wait = COMMIT_WAIT + settle.unwrap_or_default();
    let subject = Subject::Ask(E::SERVICE, partition);
    put(bus, subject, &asked, &envelope, wait).await
}

impl<E: Entity> Service<E> {
    /// Asks an entity of another service, at its owner. The answer is durable; by the request id
    /// the owner knows a repeat.
    ///
    /// # Errors
    /// [`Unavailable`] where no owner answered in time: the outcome is unknown, and the same
    /// request id may be asked again.
    pub async fn ask_elsewhere<A: Body>(
        &self,
        service: messages::Service,
        entity: EntityId,
        request_id: RequestId,
        command: impl Body,
        traceparent: Option<String>,
    ) -> Result<A, Unavailable> {
        let (host, asked) = (self.host(), Asked::default());
        let partition = entity.partition(host.partitions);
        let envelope = Envelope {
            request_id,
            entity,
            source: None,
            origin: Origin::Client,
            reply_to: None,
            causation: None,
            traceparent,
            at: host.clock.now(),
            body: command,
        };
        let subject = Subject::Ask(service, partition);
        let answer = put(&*host.bus, subject, &asked, &envelope, COMMIT_WAIT).await;
        answer.map_err(|reason| Unavailable { reason })
    }
}

async fn put<A: Body>(
    bus: &dyn Bus,
    subject: Subject,
    asked: &Asked,
    envelope: &Envelope<impl Body>,
    wait: Duration,
) -> Result<A, String> {
    let payload = join(asked, envelope);
    let answer = bus.request(subject.to_string(), payload, wait).await;
    let answer = answer.map_err(|error| error.to_string())?;
    let (answered, envelope): (Answered, Option<Envelope<A>>) = take_apart(&answer)?;
    match (answered.unavailable, envelope) {
        (None, Some(envelope)) => Ok(envelope.body),
        (reason, _) => Err(reason.unwrap_or_else(|| "an answer without a body".into())),
    }
}

/// Answers asks for the owned partitions as long as the session lives.
pub(super) async fn serve<E: Entity>(
    service: Service<E>,
    bus: Arc<dyn Bus>,
    owned: BTreeSet<Partition>,
) {
    let subjects = owned
        .iter()
        .map(|partition| Subject::Ask(E::SERVICE, *partition).to_string());
    let mut requests = loop {
        match bus.serve(subjects.clone().collect()).await {
            Ok(requests) => break requests,
            Err(error) => {
                tracing::debug!(%error, "asks wait for the broker");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    };
    while let Some(request) = requests.recv().await {
        let service = service.clone();
        tokio::spawn(async move {
            let answer = answer(&service, &request.subject, &request.payload).await;
            // An asker that is gone asks again.
            let _ = request.answer.send(answer);
        });
    }
}

async fn answer<E: Entity>(service: &Service<E>, subject: &str, payload: &[u8]) -> Bytes {
    let now = service.host().clock.now();
    let unavailable = |reason: String| {
        Bytes::from(wire::join(
            [&wire::to_vec(&Answered {
                unavailable: Some(reason),
            })[..]]
            .into_iter(),
        ))
    };
    let Ok(subject) = subject.parse::<Subject>() else {
        return unavailable("not a subject of this service".into());
    };
    let (asked, envelope) = match take_apart::<Asked, E::Command>(payload) {
        Ok((asked, Some(envelope))) => (asked, envelope),
        Ok((_, None)) => return unavailable("a question without an envelope".into()),
        Err(error) => return unavailable(error),
    };
    let creation = match (asked.call, asked.key, asked.digest) {
        (Some(call), Some(key), Some(digest)) => Some(CreationKey {
            call,
            key,
            digest: Digest::from_stored(digest),
        }),
        _ => None,
    };
    let request_id = envelope.request_id.clone();
    let question = Question {
        entity: Some(envelope.entity).filter(|_| creation.is_none()),
        fresh: false,
        creation,
        request_id: envelope.request_id,
        origin: envelope.origin,
        command: envelope.body,
        traceparent: envelope.traceparent,
    };
    let at_home = question
        .entity
        .as_ref()
        .is_none_or(|entity| entity.partition(service.host().partitions) == subject.partition());
    if !at_home {
        return unavailable("the entity lives in another partition".into());
    }
    match service
        .answer_here(
            question,
            subject.partition(),
            asked.settle_ms.map(Duration::from_millis),
        )
        .await
    {
        Ok(answer) => join(
            &Answered { unavailable: None },
            &Envelope {
                request_id,
                entity: EntityId::from(UNBORN),
                source: None,
                origin: Origin::Client,
                reply_to: None,
                causation: None,
                traceparent: None,
                at: now,
                body: answer,
            },
        ),
        Err(reason) => unavailable(reason),
    }
}

fn join<B: Body>(head: &impl Serialize, envelope: &Envelope<B>) -> Bytes {
    let (head, envelope) = (wire::to_vec(head), wire::encode(envelope));
    wire::join([&head[..], &envelope[..]].into_iter()).into()
}

fn take_apart<H: serde::de::DeserializeOwned, B: Body>(
    payload: &[u8],
) -> Result<(H, Option<Envelope<B>>), String> {
    let mut pieces = wire::split(payload).into_iter();
    let head = pieces
        .next()
        .ok_or("empty")?
        .map_err(|error| error.to_string())?;
    let head = wire::from_slice(head).map_err(|error| error.to_string())?;
    let envelope = match pieces.next() {
        Some(piece) => {
            let bytes = piece.map_err(|error| error.to_string())?;
            Some(envelope::decode(bytes).map_err(|error| error.to_string())?)
        }
        None => None,
    };
    Ok((head, envelope))
}
