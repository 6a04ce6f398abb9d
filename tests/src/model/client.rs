//! A process's connection to the broker: what its host sees.

use std::{collections::BTreeSet, time::Duration};

use ::node::bus::{
    Acknowledgement, Bus, BusFault, Delivery, Link, Outbound, Reader, Request, Start, StreamState,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::select_ok;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{sleep, timeout},
};

use super::broker::{Broker, Fate, Served};

/// How long the broker takes to answer.
const LATENCY: Duration = Duration::from_millis(1);
/// After how long an acknowledgement counts as lost.
const ACK_WAIT: Duration = Duration::from_secs(2);
/// How many messages a reader hands on at once.
const CHUNK_MAX: usize = 256;
/// How many requests wait for one who answers them.
const REQUESTS_MAX: usize = 1024;

/// A connection of one process.
pub struct Client {
    broker: Broker,
    link: watch::Sender<Link>,
}

impl Client {
    pub(super) const fn new(broker: Broker, link: watch::Sender<Link>) -> Self {
        Self { broker, link }
    }

    /// Ends this connection for good: its process is gone.
    pub fn cut(&self) {
        self.broker.forget(&self.link);
        self.link.send_modify(|link| link.connected = false);
    }

    /// One exchange with the broker.
    async fn round_trip(&self) -> Result<(), BusFault> {
        let link = *self.link.borrow();
        sleep(LATENCY).await;
        unbroken(link, *self.link.borrow())
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
        let link = *self.link.borrow();
        unbroken(link, link)?;
        let taken = self.broker.take(&message);
        let now = self.link.subscribe();
        let broker = self.broker.clone();
        Ok(Box::pin(async move {
            sleep(LATENCY).await;
            unbroken(link, *now.borrow())?;
            match taken {
                Some((Fate::Keep | Fate::Forget, sequence)) => Ok(sequence),
                Some((Fate::Refuse, _)) => Err(BusFault("refused".into())),
                Some((Fate::LoseAcknowledgement, _)) => {
                    sleep(ACK_WAIT).await;
                    Err(BusFault("no acknowledgement".into()))
                }
                None => {
                    broker.ensure_streams();
                    Err(BusFault("there was no such stream".into()))
                }
            }
        }))
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
            made_on: *self.link.borrow(),
            link: self.link.subscribe(),
            changed: self.broker.changed(),
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
        let answers: Vec<oneshot::Receiver<Bytes>> = {
            let mut state = self.broker.lock();
            state.services.retain(|served| !served.requests.is_closed());
            let there = state
                .services
                .iter()
                .filter(|served| served.subject == subject && served.link.borrow().connected);
            there
                .filter_map(|served| {
                    let (answer, answered) = oneshot::channel();
                    let request = Request {
                        subject: subject.clone(),
                        payload: payload.clone(),
                        answer,
                    };
                    served.requests.try_send(request).ok().map(|()| answered)
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
            link: self.link.subscribe(),
            requests: requests.clone(),
        });
        self.broker.lock().services.extend(served);
        Ok(receiver)
    }

    fn link(&self) -> watch::Receiver<Link> {
        self.link.subscribe()
    }
}

/// Reads one stream. After a reconnect it stays silent for ever: nobody tells it.
struct Cursor {
    broker: Broker,
    link: watch::Receiver<Link>,
    made_on: Link,
    changed: watch::Receiver<()>,
    stream: String,
    identity: String,
    subjects: BTreeSet<String>,
    next: u64,
}

#[async_trait]
impl Reader for Cursor {
    async fn next(&mut self) -> Result<Vec<Delivery>, BusFault> {
        loop {
            self.changed.borrow_and_update();
            let chunk = self.chunk();
            if !chunk.is_empty() {
                return Ok(chunk);
            }
            let gone = self.changed.changed().await;
            gone.map_err(|_| BusFault("the broker is gone".into()))?;
        }
    }
}

impl Cursor {
    fn chunk(&mut self) -> Vec<Delivery> {
        let state = self.broker.lock();
        let here = unbroken(self.made_on, *self.link.borrow()).is_ok();
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

/// Whether a connection still is what it was.
fn unbroken(before: Link, now: Link) -> Result<(), BusFault> {
    if now.connected && before == now {
        Ok(())
    } else {
        Err(BusFault("not connected".into()))
    }
}

fn no_stream() -> BusFault {
    BusFault("there is no such stream".into())
}
