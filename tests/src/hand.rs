//! A hand on the broker: messages written and read without the types of the project.
//!
//! What is spelled out here is the documented contract; were it made by the project's own code,
//! a change of the wire would go unnoticed.

use std::time::Duration;

use async_nats::header::HeaderMap;
use async_nats::jetstream;
use futures::StreamExt;
use serde_json::{Map, Value, json};

use crate::wait::SOON;

/// How long nothing has to come for nothing to be coming.
const SILENCE: Duration = Duration::from_secs(2);

/// The number of partitions that a system has by default.
pub const PARTITIONS: u64 = 8;

/// Somebody who speaks on the broker.
pub struct Hand {
    client: async_nats::Client,
    jetstream: jetstream::Context,
}

/// Somebody who listens on the broker, from the moment he was made on.
pub struct Ear(async_nats::Subscriber);

impl Hand {
    /// Speaks through this client.
    pub fn new(client: async_nats::Client) -> Self {
        Self {
            jetstream: jetstream::new(client.clone()),
            client,
        }
    }

    /// Publishes envelopes together, and waits until the stream has them.
    pub async fn say(&self, subject: &str, envelopes: &[Value]) {
        self.say_bytes(subject, pack(&json!(envelopes))).await;
    }

    /// Publishes any bytes, and waits until the stream has them.
    pub async fn say_bytes(&self, subject: &str, payload: Vec<u8>) {
        let mut headers = HeaderMap::new();
        headers.insert("Content-Type", "application/msgpack");
        self.jetstream
            .publish_with_headers(subject.to_owned(), headers, payload.into())
            .await
            .expect("the broker takes a message")
            .await
            .unwrap_or_else(|why| panic!("no stream took what was said on {subject}: {why}"));
    }

    /// Listens to a subject from now on.
    pub async fn listen(&self, subject: &str) -> Ear {
        let subscriber = self
            .client
            .subscribe(subject.to_owned())
            .await
            .expect("the broker takes a listener");
        self.client
            .flush()
            .await
            .expect("the broker hears who listens");
        Ear(subscriber)
    }
}

impl Ear {
    /// The first message from here on that fits.
    pub async fn message(
        &mut self,
        what: &str,
        fits: impl Fn(&async_nats::Message) -> bool,
    ) -> async_nats::Message {
        let heard = async {
            loop {
                let message = self.0.next().await.expect("the broker stays connected");
                if fits(&message) {
                    return message;
                }
            }
        };
        tokio::time::timeout(SOON, heard)
            .await
            .unwrap_or_else(|_| panic!("{what} was never heard"))
    }

    /// The first envelope from here on that has these values; those beside it count as heard.
    pub async fn envelope(&mut self, like: &Value) -> Value {
        let message = self
            .message(&like.to_string(), |message| {
                envelopes(message).iter().any(|heard| is_like(heard, like))
            })
            .await;
        let mut heard = envelopes(&message);
        let at = heard.iter().position(|heard| is_like(heard, like));
        heard.swap_remove(at.expect("the message was chosen for it"))
    }

    /// Hears envelopes until each of these has come, in whatever order and company.
    pub async fn all(&mut self, likes: &[Value]) {
        let mut missing = likes.to_vec();
        while !missing.is_empty() {
            let what = format!("{missing:?}");
            let message = self.message(&what, |_| true).await;
            for heard in envelopes(&message) {
                missing.retain(|like| !is_like(&heard, like));
            }
        }
    }

    /// How many envelopes with these values come until nothing comes any more.
    pub async fn count(&mut self, like: &Value) -> usize {
        let mut count = 0;
        while let Ok(Some(message)) = tokio::time::timeout(SILENCE, self.0.next()).await {
            let heard = envelopes(&message);
            count += heard.iter().filter(|heard| is_like(heard, like)).count();
        }
        count
    }
}

/// A command as one of our sagas would say it.
pub fn command(kind: &str, entity: &str, request: &str, order: &str, quantity: i64) -> Value {
    json!({
        "v": 1, "kind": kind, "requestId": request, "entity": entity, "origin": "saga",
        "source": order, "replyTo": subject("reply.order", order), "at": "2026-01-02T03:04:05.678Z",
        "body": {"orderId": order, "quantity": quantity},
    })
}

/// A product's answer to an order's command.
pub fn reply(kind: &str, to: &Value, body: &Value) -> Value {
    json!({
        "v": 1, "kind": kind, "requestId": to["requestId"], "entity": to["body"]["orderId"],
        "origin": "saga", "source": to["entity"], "at": "2026-01-02T03:04:05.678Z", "body": body,
    })
}

/// The subject of the partition that an entity lives in.
pub fn subject(prefix: &str, entity: &str) -> String {
    format!("{prefix}.{}", partition(entity))
}

/// The partition of an entity: FNV-1a with 64 bits over its text, modulo the number of them.
pub fn partition(entity: &str) -> u64 {
    let hash = entity
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    hash % PARTITIONS
}

/// A value as MessagePack.
pub fn pack(value: &Value) -> Vec<u8> {
    let value = rmpv::ext::to_value(value).expect("JSON fits into MessagePack");
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &value).expect("memory takes all bytes");
    bytes
}

/// MessagePack as a value; nothing where it is none.
pub fn unpack(mut bytes: &[u8]) -> Option<Value> {
    let value = rmpv::decode::read_value(&mut bytes).ok()?;
    rmpv::ext::from_value(value).ok()
}

/// The envelopes of a message; none where it carries none.
pub fn envelopes(message: &async_nats::Message) -> Vec<Value> {
    match unpack(&message.payload) {
        Some(Value::Array(envelopes)) => envelopes,
        _ => Vec::new(),
    }
}

/// The events of a message: it has one alone, or an array of them.
pub fn events(message: &async_nats::Message) -> Vec<Value> {
    match unpack(&message.payload) {
        Some(Value::Array(events)) => events,
        one => one.into_iter().collect(),
    }
}

fn is_like(value: &Value, like: &Value) -> bool {
    let none = Map::new();
    let like = like.as_object().unwrap_or(&none);
    like.iter().all(|(name, wanted)| value[name] == *wanted)
}
