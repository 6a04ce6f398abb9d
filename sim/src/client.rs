//! A process's connection to the broker: what its host sees.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::select_ok;
use node::bus::{
    Acknowledgement, Bus, BusFault, Delivery, Link, Outbound, Reader, Request, Start, StreamState,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{sleep, timeout},
};

use crate::{
    broker::{Broker, Fate, Served},
    connection::{Connection, HandedOver},
    life::Over,
};

/// After how long an acknowledgement counts as lost.
const ACK_WAIT: Duration = Duration::from_secs(2);
/// How many messages a reader hands on at once.
const CHUNK_MAX: usize = 256;
/// How many requests wait for one who answers them.
const REQUESTS_MAX: usize = 1024;

/// A connection of one process.
pub struct Client {
    broker: Broker,
    connection: Arc<Connection>,
}

impl Client {
    pub(crate) const fn new(broker: Broker, connection: Arc<Connection>) -> Self {
        Self { broker, connection }
    }

    /// Breaks, and both ends know.
    pub fn disconnect(&self) {
        self.connection.disconnect();
    }

    /// Nothing passes any more, and neither end knows.
    pub fn fall_silent(&self) {
        self.connection.fall_silent();
    }

    /// Is made anew, after a break or a silence.
    pub fn reconnect(&self) {
        self.broker.take_back(&self.connection);
        self.broker.wake_all();
    }

    /// One exchange with the broker.
    async fn round_trip(&self) -> Result<(), BusFault> {
        self.connection.life.exchange().await?;
        let link = self.connection.link();
        if self.connection.is_silent() {
            sleep(ACK_WAIT).await;
            return Err(BusFault("no answer".into()));
        }
        sleep(self.broker.latency()).await;
        self.connection.life.exchange().await?;
        self.connection.is_still(link)
    }

    /// Hands messages over that follow one another; the last is acknowledged. In a row it must not
    /// have been there before. Where the connection is broken they are sent on the next one.
    async fn hand_over(
        &self,
        messages: &[Outbound],
        in_a_row: bool,
    ) -> Result<Acknowledgement, BusFault> {
        self.connection.life.exchange().await?;
        let link = self.connection.link();
        let connection = Arc::clone(&self.connection);
        let broker = self.broker.clone();
        let on_its_way = if !link.connected {
            OnItsWay::Waiting(connection.keep(messages))
        } else if connection.is_silent() {
            OnItsWay::Nowhere
        } else {
            let last = broker.take_all(messages);
            OnItsWay::There(HandedOver { link, last })
        };
        Ok(Box::pin(async move {
            let lost = || BusFault("no acknowledgement".into());
            sleep(broker.latency()).await;
            connection.life.exchange().await?;
            let handed_over = match on_its_way {
                OnItsWay::There(handed_over) => Some(handed_over),
                OnItsWay::Waiting(taken) => match timeout(ACK_WAIT, taken).await {
                    Ok(taken) => {
                        connection.life.exchange().await?;
                        taken.ok()
                    }
                    Err(_) => return Err(lost()),
                },
                OnItsWay::Nowhere => None,
            };
            let Some(HandedOver { link, last }) = handed_over.filter(|_| !connection.is_silent())
            else {
                sleep(ACK_WAIT).await;
                return Err(lost());
            };
            connection.is_still(link)?;
            let Some(taken) = last else {
                broker.ensure_streams();
                return Err(BusFault("there was no such stream".into()));
            };
            match taken.fate {
                Fate::Keep if in_a_row && !taken.new => Err(BusFault("was there before".into())),
                Fate::Keep | Fate::Forget => Ok(taken.sequence),
                Fate::Refuse => Err(BusFault("refused".into())),
                Fate::LoseAcknowledgement | Fate::Double => {
                    sleep(ACK_WAIT).await;
                    Err(lost())
                }
            }
        }))
    }
}

/// Where messages are that were handed over.
enum OnItsWay {
    There(HandedOver),
    /// They wait for the next connection.
    Waiting(oneshot::Receiver<HandedOver>),
    Nowhere,
}

impl From<Over> for BusFault {
    fn from(_: Over) -> Self {
        Self("the process is gone".into())
    }
}

#[async_trait]
impl Bus for Client {
    async fn ensure_streams(&self) -> Result<(), BusFault> {
        self.round_trip().await?;
        self.broker.ensure_streams();
        Ok(())
    }

    async fn send(&self, message: Outbound) -> Result<Acknowledgement, BusFault> {
        self.hand_over(&[message], false).await
    }

    async fn send_in_a_row(&self, messages: Vec<Outbound>) -> Result<Acknowledgement, BusFault> {
        self.hand_over(&messages, true).await
    }

    async fn stream(&self, stream: &str) -> Result<StreamState, BusFault> {
        self.round_trip().await?;
        let state = self.broker.lock();
        let stream = state.streams.get(stream);
        Ok(stream.ok_or_else(no_stream)?.state())
    }

    async fn message(&self, stream: &str, sequence: u64) -> Result<Option<Delivery>, BusFault> {
        self.round_trip().await?;
        let state = self.broker.lock();
        let stream = state.streams.get(stream).ok_or_else(no_stream)?;
        Ok(stream.message(sequence).cloned())
    }

    async fn read(
        &self,
        stream: &str,
        subjects: Vec<String>,
        start: Start,
    ) -> Result<Box<dyn Reader>, BusFault> {
        self.round_trip().await?;
        let state = self.broker.lock();
        let log = state.streams.get(stream).ok_or_else(no_stream)?;
        Ok(Box::new(Cursor {
            made_on: self.connection.link(),
            connection: Arc::clone(&self.connection),
            broker: self.broker.clone(),
            stream: stream.to_owned(),
            identity: log.identity().to_owned(),
            subjects: subjects.into_iter().collect(),
            next: log.from(start),
        }))
    }

    async fn delete(&self, stream: &str, sequence: u64) -> Result<(), BusFault> {
        self.round_trip().await?;
        let mut state = self.broker.lock();
        let stream = state.streams.get_mut(stream).ok_or_else(no_stream)?;
        stream.delete(sequence);
        Ok(())
    }

    async fn request(
        &self,
        subject: String,
        payload: Bytes,
        wait: Duration,
    ) -> Result<Bytes, BusFault> {
        self.round_trip().await?;
        let answers: Vec<_> = {
            let mut state = self.broker.lock();
            state.services.retain(|served| !served.requests.is_closed());
            let there = state
                .services
                .iter()
                .filter(|served| served.subject == subject && served.connection.carries());
            there
                .filter_map(|served| {
                    let (answer, answered) = oneshot::channel();
                    let request = Request {
                        subject: subject.clone(),
                        payload: payload.clone(),
                        answer,
                    };
                    served.requests.try_send(request).ok()?;
                    Some(Box::pin(heard(answered, Arc::clone(&served.connection))))
                })
                .collect()
        };
        if answers.is_empty() {
            return Err(BusFault("nobody answers".into()));
        }
        let first = timeout(wait, select_ok(answers)).await;
        self.round_trip().await?;
        match first {
            Ok(Ok((answer, _))) => Ok(answer),
            Ok(Err(_)) | Err(_) => Err(BusFault("no answer".into())),
        }
    }

    async fn serve(&self, subjects: Vec<String>) -> Result<mpsc::Receiver<Request>, BusFault> {
        self.round_trip().await?;
        let (requests, receiver) = mpsc::channel(REQUESTS_MAX);
        let served = subjects.into_iter().map(|subject| Served {
            subject,
            connection: Arc::clone(&self.connection),
            requests: requests.clone(),
        });
        self.broker.lock().services.extend(served);
        Ok(receiver)
    }

    fn link(&self) -> watch::Receiver<Link> {
        self.connection.watch()
    }

    fn connection(&self) -> u64 {
        self.connection.link().connections
    }
}

/// The answer of one who was asked, where it can still say it.
async fn heard(
    answered: oneshot::Receiver<Bytes>,
    connection: Arc<Connection>,
) -> Result<Bytes, BusFault> {
    let lost = || BusFault("no answer".into());
    let answer = answered.await.map_err(|_| lost())?;
    connection.life.exchange().await?;
    if connection.carries() {
        Ok(answer)
    } else {
        Err(lost())
    }
}

/// Reads one stream. After a reconnect it stays silent for ever: nobody tells it.
struct Cursor {
    broker: Broker,
    connection: Arc<Connection>,
    made_on: Link,
    stream: String,
    identity: String,
    subjects: BTreeSet<String>,
    next: u64,
}

#[async_trait]
impl Reader for Cursor {
    async fn next(&mut self) -> Result<Vec<Delivery>, BusFault> {
        let broker = self.broker.clone();
        let Some(changed) = broker.changed(&self.stream) else {
            return Err(no_stream());
        };
        loop {
            self.connection.life.pass().await;
            // Made before the look, so that no message is missed between the two.
            let changed = changed.notified();
            let chunk = self.chunk();
            if !chunk.is_empty() {
                // Nothing is awaited between the look and the answer, which so is cancel safe.
                self.connection.life.exchange_now()?;
                return Ok(chunk);
            }
            changed.await;
        }
    }
}

impl Cursor {
    fn chunk(&mut self) -> Vec<Delivery> {
        let state = self.broker.lock();
        let here = self.connection.is_still(self.made_on).is_ok() && self.connection.carries();
        let stream = state.streams.get(&*self.stream);
        let Some(stream) = stream.filter(|s| here && s.identity() == self.identity) else {
            return Vec::new();
        };
        if state.is_held(&self.stream) {
            return Vec::new();
        }
        let chunk = stream.next(&self.subjects, self.next, CHUNK_MAX);
        if let Some(last) = chunk.last() {
            self.next = last.sequence + 1;
        }
        chunk
    }
}

fn no_stream() -> BusFault {
    BusFault("there is no such stream".into())
}
