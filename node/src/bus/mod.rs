//! The broker as the host sees it: streams that are published to and read, and requests.
//!
//! The seam between the host and NATS. The broker is transport: whatever it forgets, the databases
//! know, so every fault here is answered by trying again.

pub mod nats;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use messages::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

use crate::store::Position;

/// A message to be published on a stream.
#[derive(Clone, Debug)]
pub struct Outbound {
    /// Its subject.
    pub subject: String,
    /// Its dedup id (`Nats-Msg-Id`).
    pub id: String,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// Its payload.
    pub payload: Bytes,
}

/// A message of a stream.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its subject.
    pub subject: String,
    /// Its sequence in the stream.
    pub sequence: u64,
    /// When the broker took it.
    pub at: Timestamp,
    /// How many messages of this reader's subjects wait behind it.
    pub pending: u64,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its payload.
    pub payload: Bytes,
}

/// What a stream says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamState {
    /// Its identity: the time of its creation.
    pub identity: String,
    /// The oldest sequence that it still has.
    pub first: u64,
    /// The newest sequence that it has.
    pub last: u64,
}

/// Where a reader starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At a sequence.
    Sequence(u64),
    /// At the first message not older than a time.
    Time(Timestamp),
}

/// A request that somebody waits on.
pub struct Request {
    /// Its subject.
    pub subject: String,
    /// Its payload.
    pub payload: Bytes,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Bytes>,
}

/// Whether the broker is there; the number grows with every connection made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Whether it is connected now.
    pub connected: bool,
    /// How many connections there have been.
    pub connections: u64,
}

/// The broker could not be reached, or did not answer in time.
#[derive(Clone, Debug, thiserror::Error)]
#[error("broker: {0}")]
pub struct BusFault(pub String);

/// The acknowledgement of a publish that is under way: the message's sequence.
pub type Acknowledgement = BoxFuture<'static, Result<u64, BusFault>>;

/// The broker.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Makes the streams that are missing.
    async fn ensure_streams(&self) -> Result<(), BusFault>;
    /// Hands a message to the broker; messages arrive in the order in which they were handed over.
    async fn send(&self, message: Outbound) -> Result<Acknowledgement, BusFault>;
    /// Hands messages over that follow one another in their stream. They are acknowledged together
    /// by the sequence of the last, each before it having the one before: the stream has them all,
    /// and nothing between them. Where one is lost, was there before or another's came between, that
    /// is a fault, and each is to be sent again by itself, under the same id.
    async fn send_in_a_row(&self, messages: Vec<Outbound>) -> Result<Acknowledgement, BusFault>;
    /// What a stream says of itself.
    async fn stream(&self, stream: &str) -> Result<StreamState, BusFault>;
    /// The message of a sequence, where the stream has it.
    async fn message(&self, stream: &str, sequence: u64) -> Result<Option<Delivery>, BusFault>;
    /// Reads a stream in order, from `start` on.
    async fn read(
        &self,
        stream: &str,
        subjects: Vec<String>,
        start: Start,
    ) -> Result<Box<dyn Reader>, BusFault>;
    /// Deletes a message.
    async fn delete(&self, stream: &str, sequence: u64) -> Result<(), BusFault>;
    /// Asks, and waits for the answer.
    async fn request(
        &self,
        subject: String,
        payload: Bytes,
        wait: Duration,
    ) -> Result<Bytes, BusFault>;
    /// Answers requests on these subjects until the receiver is dropped.
    async fn serve(&self, subjects: Vec<String>) -> Result<mpsc::Receiver<Request>, BusFault>;
    /// Whether the broker is there.
    fn link(&self) -> watch::Receiver<Link>;
    /// The number of the connection that messages are sent on, as it is now: an acknowledgement that
    /// has come did so over this one or an earlier one. [`Bus::link`] tells of a new one a little later.
    fn connection(&self) -> u64;
}

/// Reads one stream in order.
#[async_trait]
pub trait Reader: Send {
    /// What has come: at least one message. Cancel safe.
    async fn next(&mut self) -> Result<Vec<Delivery>, BusFault>;
}

/// Hands a message over and waits for its acknowledgement.
pub async fn publish(bus: &dyn Bus, message: Outbound) -> Result<u64, BusFault> {
    bus.send(message).await?.await
}

/// Whether a stream still is what a position speaks of: the message is there and the same, or it
/// has merely grown too old.
pub async fn holds(
    bus: &dyn Bus,
    name: &str,
    stream: &StreamState,
    position: &Position,
) -> Result<bool, BusFault> {
    if position.stream != stream.identity || position.sequence > stream.last {
        return Ok(false);
    }
    if position.sequence < stream.first {
        return Ok(true);
    }
    Ok(bus
        .message(name, position.sequence)
        .await?
        .is_some_and(|message| message.at == position.at))
}
