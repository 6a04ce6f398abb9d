//! The broker: streams that outlive its clients' connections, and may be hurt.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use ::node::{
    bus::{Delivery, Link, Outbound, Request},
    seams::Clock,
};
use messages::{Partition, Service, subject};
use tokio::sync::{mpsc, watch};

use super::{client::Client, stream::Stream};

/// What becomes of a message that is handed to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is kept and acknowledged.
    Keep,
    /// It is refused: not kept, and its sender is told so.
    Refuse,
    /// It is kept, and the acknowledgement is lost.
    LoseAcknowledgement,
    /// It is acknowledged, and lost all the same.
    Forget,
}

/// A broker that several clients share.
#[derive(Clone)]
pub struct Broker(Arc<Shared>);

struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

/// What a broker has.
pub(super) struct State {
    pub(super) streams: BTreeMap<&'static str, Stream>,
    /// How many streams were ever made: a stream's identity.
    made: u64,
    held: BTreeSet<&'static str>,
    judge: Box<dyn FnMut(&Outbound) -> Fate + Send>,
    links: Vec<watch::Sender<Link>>,
    pub(super) services: Vec<Served>,
}

/// A client that answers requests on a subject.
pub(super) struct Served {
    pub(super) subject: String,
    pub(super) link: watch::Receiver<Link>,
    pub(super) requests: mpsc::Sender<Request>,
}

impl Broker {
    /// A broker without streams.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let state = State {
            streams: BTreeMap::new(),
            made: 0,
            held: BTreeSet::new(),
            judge: Box::new(|_| Fate::Keep),
            links: Vec::new(),
            services: Vec::new(),
        };
        Self(Arc::new(Shared {
            clock,
            state: Mutex::new(state),
            changed: watch::Sender::new(()),
        }))
    }

    /// A connection of one process.
    pub fn client(&self) -> Arc<Client> {
        let link = watch::Sender::new(Link {
            connected: true,
            connections: 1,
        });
        self.lock().links.push(link.clone());
        Arc::new(Client::new(self.clone(), link))
    }

    /// Decides from now on what becomes of messages.
    pub fn judge(&self, judge: impl FnMut(&Outbound) -> Fate + Send + 'static) {
        self.lock().judge = Box::new(judge);
    }

    /// Keeps every message from now on.
    pub fn be_kind(&self) {
        self.judge(|_| Fate::Keep);
    }

    /// Delivers nothing of a stream until it is let go.
    pub fn hold(&self, stream: &'static str) {
        self.lock().held.insert(stream);
    }

    /// Delivers a stream again.
    pub fn let_go(&self, stream: &'static str) {
        self.lock().held.remove(stream);
        self.wake();
    }

    /// Drops every connection.
    pub fn disconnect(&self) {
        for link in &self.lock().links {
            link.send_modify(|link| link.connected = false);
        }
    }

    /// Takes every client back, as a server that has started again.
    pub fn reconnect(&self) {
        for link in &self.lock().links {
            link.send_modify(|link| {
                link.connected = true;
                link.connections += 1;
            });
        }
        self.wake();
    }

    /// Forgets the newest messages of a stream.
    pub fn lose_tail(&self, stream: &str, messages: usize) {
        if let Some(stream) = self.lock().streams.get_mut(stream) {
            stream.lose_tail(messages);
        }
    }

    /// Forgets every stream.
    pub fn lose_everything(&self) {
        self.lock().streams.clear();
    }

    /// Knows a client no longer.
    pub(super) fn forget(&self, client: &watch::Sender<Link>) {
        self.lock().links.retain(|link| !link.same_channel(client));
    }

    /// What a stream holds.
    pub fn messages(&self, stream: &str) -> Vec<Delivery> {
        self.lock()
            .streams
            .get(stream)
            .map_or_else(Vec::new, |stream| stream.messages().cloned().collect())
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no panic while it is locked")
    }

    pub(super) fn changed(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }

    fn wake(&self) {
        self.0.changed.send_replace(());
    }

    /// Makes the streams that are missing.
    pub(super) fn ensure_streams(&self) {
        let now = self.0.clock.now();
        let state = &mut *self.lock();
        for (name, _) in streams() {
            if !state.streams.contains_key(name) {
                state.made += 1;
                let identity = format!("{now} ({})", state.made);
                state.streams.insert(name, Stream::new(identity));
            }
        }
    }

    /// Takes a message: what becomes of it, and its sequence; `None` where it has no stream.
    pub(super) fn take(&self, message: &Outbound) -> Option<(Fate, u64)> {
        let now = self.0.clock.now();
        let state = &mut *self.lock();
        let (name, _) = streams().find(|(_, prefix)| message.subject.starts_with(prefix))?;
        let stream = state.streams.get_mut(name)?;
        let fate = (state.judge)(message);
        let sequence = match fate {
            Fate::Keep | Fate::LoseAcknowledgement => stream.append(message, now),
            Fate::Refuse | Fate::Forget => stream.state().last,
        };
        self.wake();
        Some((fate, sequence))
    }
}

impl State {
    pub(super) fn is_held(&self, stream: &str) -> bool {
        self.held.contains(stream)
    }
}

/// Every stream, and how the subjects of its messages begin.
fn streams() -> impl Iterator<Item = (&'static str, String)> {
    let inboxes = Service::ALL.into_iter().map(|service| {
        let subject = service.inbox_subject(Partition(0)).to_string();
        (service.inbox(), subject.trim_end_matches('0').to_owned())
    });
    let shared = [subject::EVENTS, subject::DEAD]
        .map(|(name, subjects)| (name, subjects.trim_end_matches('>').to_owned()));
    inboxes.chain(shared)
}
