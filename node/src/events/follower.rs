//! Follows the stream of events in order, whatever becomes of the broker.
//!
//! It goes on behind the last message that it gave. Where the stream is no longer the one that had
//! that message, it goes back, so that a message may be given twice: its reader knows events by
//! their ids.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use messages::{Timestamp, subject};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use crate::{
    bus::{Bus, BusFault, Delivery, Link, Reader, Start, holds},
    store::Position,
};

/// How long to wait after a failure of the broker.
const PAUSE: Duration = Duration::from_millis(200);

/// How many messages are gathered at most, by [`Follower::gather`]; a few more where they came along.
const GATHERED_MAX: usize = 256;

/// Where a follower starts.
#[derive(Clone, Debug)]
pub enum Place {
    /// At the first message that the stream has.
    First,
    /// At the first message not older than a time.
    Since(Timestamp),
    /// Behind a message.
    Behind(Position),
}

/// Follows the stream of events.
pub struct Follower {
    bus: Arc<dyn Bus>,
    subjects: Vec<String>,
    reread_ms: u64,
    place: Place,
    link: watch::Receiver<Link>,
    reading: Option<Under>,
    /// The identity of the stream that the last messages came from.
    stream: String,
    following: Arc<AtomicBool>,
}

/// One connection's reading.
struct Under {
    reader: Box<dyn Reader>,
    connections: u64,
    stream: String,
}

impl Follower {
    /// A follower of these subjects that starts at a place; where the broker has forgotten it, it
    /// goes back by `reread_ms` more.
    pub fn new(bus: Arc<dyn Bus>, subjects: Vec<String>, place: Place, reread_ms: u64) -> Self {
        let link = bus.link();
        Self {
            bus,
            subjects,
            reread_ms,
            place,
            link,
            reading: None,
            stream: String::new(),
            following: Arc::default(),
        }
    }

    /// Whether it follows the stream now; shared with whoever asks for it.
    pub fn following(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.following)
    }

    /// The identity of the stream that the last messages came from.
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// What has come: at least one message. Waits as long as the broker is away. Cancel safe.
    pub async fn next(&mut self) -> Vec<Delivery> {
        loop {
            match self.try_next().await {
                Ok(Some(deliveries)) => return deliveries,
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, "events wait for the broker"),
            }
            self.end_reading();
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What has come, as [`next`](Self::next) gives it, and what else comes up to a time: as long as
    /// it is of the same stream, and not too many. Not cancel safe: what was gathered so far would be lost.
    pub async fn gather(&mut self, until: Instant) -> Vec<Delivery> {
        let mut gathered = self.next().await;
        while gathered.len() < GATHERED_MAX {
            match timeout_at(until, self.try_next()).await {
                Ok(Ok(Some(more))) => gathered.extend(more),
                // What comes then may be of another stream.
                Ok(_) => {
                    self.end_reading();
                    break;
                }
                Err(_) => break,
            }
        }
        gathered
    }

    fn end_reading(&mut self) {
        self.following.store(false, Ordering::Release);
        self.reading = None;
    }

    /// What has come; nothing where reading must start again.
    async fn try_next(&mut self) -> Result<Option<Vec<Delivery>>, BusFault> {
        if self.reading.is_none() {
            self.reading = Some(self.start().await?);
            self.following.store(true, Ordering::Release);
        }
        let under = self.reading.as_mut().expect("just started");
        let deliveries = loop {
            tokio::select! {
                chunk = under.reader.next() => break chunk?,
                // The server may be another one: it does not say so by itself.
                changed = self.link.changed() => {
                    if changed.is_err() {
                        return Err(BusFault("the connection is given up".into()));
                    }
                    if self.link.borrow().connections != under.connections {
                        return Ok(None);
                    }
                }
            }
        };
        if let Some(last) = deliveries.last() {
            self.stream.clone_from(&under.stream);
            self.place = Place::Behind(Position {
                stream: under.stream.clone(),
                sequence: last.sequence,
                at: last.at,
            });
        }
        Ok(Some(deliveries))
    }

    async fn start(&mut self) -> Result<Under, BusFault> {
        let (bus, name) = (Arc::clone(&self.bus), subject::EVENTS.0);
        let connections = self.link.borrow_and_update().connections;
        let stream = bus.stream(name).await?;
        let start = match &self.place {
            Place::First => Start::Sequence(1),
            Place::Since(at) => Start::Time(*at),
            Place::Behind(position) if holds(&*bus, name, &stream, position).await? => {
                Start::Sequence(position.sequence + 1)
            }
            Place::Behind(position) => {
                tracing::info!(since = %position.at, "the broker forgot events: reading again from before");
                let back = i64::try_from(self.reread_ms).unwrap_or(i64::MAX);
                Start::Time(position.at.plus_millis(back.saturating_neg()))
            }
        };
        let reader = bus.read(name, self.subjects.clone(), start).await?;
        Ok(Under {
            reader,
            connections,
            stream: stream.identity,
        })
    }
}
