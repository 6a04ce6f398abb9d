//! The broker: streams that outlive its clients' connections, and may be hurt.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, Weak},
    time::Duration,
};

use messages::{Partition, Service, Timestamp, subject};
use node::{
    bus::{Delivery, Outbound, Request},
    seams::Clock,
};
use tokio::sync::{Notify, mpsc};

use crate::{
    client::Client,
    connection::{Connection, HandedOver},
    life::Life,
    stream::Stream,
};

/// How long the broker takes to answer, unless it is told otherwise.
const LATENCY: Duration = Duration::from_millis(1);
/// For how many ms the ids of messages are remembered, and those of events.
const DUPLICATE_WINDOW_MS: (i64, i64) = (120_000, 20_000);

/// What becomes of a message that is handed to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is kept and acknowledged.
    Keep,
    /// It is kept, the acknowledgement is lost, and its id is forgotten: sent again, it is kept
    /// twice.
    Double,
    /// It is refused: not kept, and its sender is told so.
    Refuse,
    /// It is kept, and the acknowledgement is lost.
    LoseAcknowledgement,
    /// It is acknowledged, and lost all the same.
    Forget,
}

/// What became of a message.
pub(crate) struct Taken {
    pub(crate) fate: Fate,
    /// Where it is in its stream.
    pub(crate) sequence: u64,
    /// Whether it was not there before.
    pub(crate) new: bool,
}

/// A broker that several clients share.
#[derive(Clone)]
pub struct Broker(Arc<Shared>);

struct Shared {
    clock: Arc<dyn Clock>,
    /// Every stream, and how the subjects of its messages begin.
    routes: Vec<(&'static str, String)>,
    /// Woken when a stream has something new for its readers.
    changed: BTreeMap<&'static str, Notify>,
    state: Mutex<State>,
}

/// Is told every message that a stream takes, with its sequence.
type Observer = Box<dyn FnMut(&Outbound, u64) + Send>;

/// What a broker has.
pub(crate) struct State {
    pub(crate) streams: BTreeMap<&'static str, Stream>,
    /// How many streams were ever made: a stream's identity.
    made: u64,
    held: BTreeSet<&'static str>,
    judge: Box<dyn FnMut(&Outbound) -> Fate + Send>,
    latency: Box<dyn FnMut() -> Duration + Send>,
    observe: Observer,
    connections: Vec<Weak<Connection>>,
    pub(crate) services: Vec<Served>,
    window_ms: (i64, i64),
}

/// A client that answers requests on a subject.
pub(crate) struct Served {
    pub(crate) subject: String,
    pub(crate) connection: Arc<Connection>,
    pub(crate) requests: mpsc::Sender<Request>,
}

impl Broker {
    /// A broker without streams.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let routes: Vec<_> = routes().collect();
        let changed = routes.iter().map(|(name, _)| (*name, Notify::new()));
        let state = State {
            streams: BTreeMap::new(),
            made: 0,
            held: BTreeSet::new(),
            judge: Box::new(|_| Fate::Keep),
            latency: Box::new(|| LATENCY),
            observe: Box::new(|_, _| {}),
            connections: Vec::new(),
            services: Vec::new(),
            window_ms: DUPLICATE_WINDOW_MS,
        };
        Self(Arc::new(Shared {
            clock,
            changed: changed.collect(),
            routes,
            state: Mutex::new(state),
        }))
    }

    /// A connection of one process.
    pub fn client(&self, life: &Arc<Life>) -> Arc<Client> {
        let connection = Connection::new(Arc::clone(life));
        let mut state = self.lock();
        state.connections.retain(|known| known.strong_count() > 0);
        state.connections.push(Arc::downgrade(&connection));
        drop(state);
        Arc::new(Client::new(self.clone(), connection))
    }

    /// Decides from now on what becomes of messages.
    pub fn judge(&self, judge: impl FnMut(&Outbound) -> Fate + Send + 'static) {
        self.lock().judge = Box::new(judge);
    }

    /// Keeps every message from now on.
    pub fn be_kind(&self) {
        self.judge(|_| Fate::Keep);
    }

    /// Says from now on how long each answer takes.
    pub fn take_time(&self, latency: impl FnMut() -> Duration + Send + 'static) {
        self.lock().latency = Box::new(latency);
    }

    /// Is told every message that a stream takes, with its sequence.
    pub fn observe(&self, observe: impl FnMut(&Outbound, u64) + Send + 'static) {
        self.lock().observe = Box::new(observe);
    }

    /// Remembers ids for so many ms from now on.
    pub fn remember_ids(&self, millis: i64) {
        self.lock().window_ms = (millis, millis);
    }

    /// Forgets the ids of all messages.
    pub fn forget_ids(&self) {
        for stream in self.lock().streams.values_mut() {
            stream.forget_ids();
        }
    }

    /// Delivers nothing of a stream until it is let go.
    pub fn hold(&self, stream: &'static str) {
        self.lock().held.insert(stream);
    }

    /// Delivers a stream again.
    pub fn let_go(&self, stream: &'static str) {
        self.lock().held.remove(stream);
        self.wake(stream);
    }

    /// Drops every connection.
    pub fn disconnect(&self) {
        for connection in self.connections() {
            connection.disconnect();
        }
    }

    /// Takes every client back, as a server that has started again.
    pub fn reconnect(&self) {
        for connection in self.connections() {
            self.take_back(&connection);
        }
        self.wake_all();
    }

    /// Takes one client back, and what it kept meanwhile.
    pub(crate) fn take_back(&self, connection: &Connection) {
        for waiting in connection.reconnect() {
            let handed_over = HandedOver {
                link: connection.link(),
                last: self.take_all(&waiting.messages),
            };
            // Who gave up does not hear of it; the messages are there all the same.
            let _ = waiting.taken.send(handed_over);
        }
    }

    /// Forgets what a stream has taken since; answers how many messages that were.
    pub fn lose_since(&self, stream: &str, since: Timestamp) -> usize {
        let mut state = self.lock();
        let Some(stream) = state.streams.get_mut(stream) else {
            return 0;
        };
        let newest = stream.messages().rev();
        let messages = newest.take_while(|message| message.at >= since).count();
        stream.lose_tail(messages);
        messages
    }

    /// Forgets the newest messages of a stream.
    pub fn lose_tail(&self, stream: &str, messages: usize) {
        if let Some(stream) = self.lock().streams.get_mut(stream) {
            stream.lose_tail(messages);
        }
    }

    /// Removes the oldest messages of a stream, as its limits do.
    pub fn expire(&self, stream: &str, messages: usize) {
        if let Some(stream) = self.lock().streams.get_mut(stream) {
            stream.expire(messages);
        }
    }

    /// Forgets every stream.
    pub fn lose_everything(&self) {
        self.lock().streams.clear();
    }

    /// What a stream holds.
    pub fn messages(&self, stream: &str) -> Vec<Delivery> {
        let state = self.lock();
        let stream = state.streams.get(stream);
        stream.map_or_else(Vec::new, |stream| stream.messages().cloned().collect())
    }

    /// Reads what a stream holds.
    pub fn read(&self, stream: &str, read: impl FnMut(&Delivery)) {
        let state = self.lock();
        let stream = state.streams.get(stream);
        stream.into_iter().flat_map(Stream::messages).for_each(read);
    }

    /// The names of all streams.
    pub fn stream_names(&self) -> impl Iterator<Item = &'static str> {
        self.0.routes.iter().map(|(name, _)| *name)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no panic while it is locked")
    }

    pub(crate) fn changed(&self, stream: &str) -> Option<&Notify> {
        self.0.changed.get(stream)
    }

    /// How long the next answer takes.
    pub(crate) fn latency(&self) -> Duration {
        (self.lock().latency)()
    }

    pub(crate) fn wake_all(&self) {
        self.0.changed.values().for_each(Notify::notify_waiters);
    }

    fn wake(&self, stream: &str) {
        if let Some(changed) = self.changed(stream) {
            changed.notify_waiters();
        }
    }

    fn connections(&self) -> Vec<Arc<Connection>> {
        let state = self.lock();
        state.connections.iter().filter_map(Weak::upgrade).collect()
    }

    /// Makes the streams that are missing.
    pub(crate) fn ensure_streams(&self) {
        let now = self.0.clock.now();
        let state = &mut *self.lock();
        for (name, _) in &self.0.routes {
            if !state.streams.contains_key(name) {
                state.made += 1;
                let identity = format!("{now} ({})", state.made);
                state.streams.insert(name, Stream::new(identity));
            }
        }
    }

    /// Takes messages of which each follows the one before; answers what became of the last.
    pub(crate) fn take_all(&self, messages: &[Outbound]) -> Option<Taken> {
        let mut last = None;
        let mut after = None;
        for message in messages {
            last = self.take(message, after);
            after = Some(message.id.as_str());
        }
        last
    }

    /// Takes a message, which is refused where it does not follow the one with the id `after`; `None`
    /// where it has no stream.
    fn take(&self, message: &Outbound, after: Option<&str>) -> Option<Taken> {
        let now = self.0.clock.now();
        let mut state = self.lock();
        let state = &mut *state;
        let mut routes = self.0.routes.iter();
        let (name, _) = routes.find(|(_, prefix)| message.subject.starts_with(prefix))?;
        let stream = state.streams.get_mut(name)?;
        let window_ms = if *name == subject::EVENTS.0 {
            state.window_ms.1
        } else {
            state.window_ms.0
        };
        stream.forget_ids_of(now.plus_millis(-window_ms));
        let fate = match (state.judge)(message) {
            _ if !stream.takes(message, after) => Fate::Refuse,
            fate => fate,
        };
        let before = stream.state().last;
        let sequence = match fate {
            Fate::Keep | Fate::LoseAcknowledgement => stream.append(message, now),
            Fate::Double => {
                stream.append_anyway(message, now);
                stream.state().last
            }
            Fate::Refuse | Fate::Forget => before,
        };
        let new = stream.state().last > before;
        if new {
            (state.observe)(message, sequence);
        }
        if let Some(changed) = self.changed(name) {
            changed.notify_waiters();
        }
        Some(Taken {
            fate,
            sequence,
            new,
        })
    }
}

impl State {
    pub(crate) fn is_held(&self, stream: &str) -> bool {
        self.held.contains(stream)
    }
}

fn routes() -> impl Iterator<Item = (&'static str, String)> {
    let inboxes = Service::ALL.into_iter().map(|service| {
        let subject = service.inbox_subject(Partition(0)).to_string();
        (service.inbox(), subject.trim_end_matches('0').to_owned())
    });
    let shared = [subject::EVENTS, subject::DEAD]
        .map(|(name, subjects)| (name, subjects.trim_end_matches('>').to_owned()));
    inboxes.chain(shared)
}
