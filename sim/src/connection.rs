//! A process's connection to the broker, as the broker knows it: there, gone, or silent.

use std::sync::{Arc, Mutex, MutexGuard};

use node::bus::{BusFault, Link, Outbound};
use tokio::sync::{oneshot, watch};

use crate::{broker::Taken, life::Life};

/// A connection, which outlives its breaks.
pub(crate) struct Connection {
    pub(crate) life: Arc<Life>,
    state: Mutex<State>,
}

struct State {
    link: Link,
    silent: bool,
    /// What was handed over while it was broken: a client sends it on the next one.
    waiting: Vec<Waiting>,
    /// One for each who looks: who waits on one alone is woken in an order that does not depend
    /// on chance.
    watchers: Vec<watch::Sender<Link>>,
}

/// Messages that follow one another, and who waits for what becomes of the last.
pub(crate) struct Waiting {
    pub(crate) messages: Vec<Outbound>,
    pub(crate) taken: oneshot::Sender<HandedOver>,
}

/// What became of messages that were handed over, and on which connection.
pub(crate) struct HandedOver {
    pub(crate) link: Link,
    /// `None` where there was no such stream.
    pub(crate) last: Option<Taken>,
}

impl Connection {
    pub(crate) fn new(life: Arc<Life>) -> Arc<Self> {
        let state = State {
            link: Link {
                connected: true,
                connections: 1,
            },
            silent: false,
            waiting: Vec::new(),
            watchers: Vec::new(),
        };
        let connection = Arc::new(Self {
            life,
            state: Mutex::new(state),
        });
        let weak = Arc::downgrade(&connection);
        connection.life.at_last(move || {
            if let Some(connection) = weak.upgrade() {
                connection.disconnect();
            }
        });
        connection
    }

    pub(crate) fn link(&self) -> Link {
        self.lock().link
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Link> {
        let mut state = self.lock();
        state.watchers.retain(|watcher| !watcher.is_closed());
        let (watcher, receiver) = watch::channel(state.link);
        state.watchers.push(watcher);
        receiver
    }

    /// Breaks, and both ends know.
    pub(crate) fn disconnect(&self) {
        self.change(|state| state.link.connected = false);
    }

    /// Is made anew, where its process lives; answers what waited for that, to be sent first.
    pub(crate) fn reconnect(&self) -> Vec<Waiting> {
        if self.life.is_over() {
            return Vec::new();
        }
        self.change(|state| {
            state.silent = false;
            state.link.connected = true;
            state.link.connections += 1;
        });
        std::mem::take(&mut self.lock().waiting)
    }

    /// Keeps messages until it is made anew.
    pub(crate) fn keep(&self, messages: &[Outbound]) -> oneshot::Receiver<HandedOver> {
        let (taken, answer) = oneshot::channel();
        let messages = messages.to_vec();
        self.lock().waiting.push(Waiting { messages, taken });
        answer
    }

    /// Nothing passes any more, and neither end knows.
    pub(crate) fn fall_silent(&self) {
        self.lock().silent = true;
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.lock().silent
    }

    /// Whether something can be said on it to somebody who hears.
    pub(crate) fn carries(&self) -> bool {
        let state = self.lock();
        state.link.connected && !state.silent
    }

    /// Whether it still is what it was.
    pub(crate) fn is_still(&self, before: Link) -> Result<(), BusFault> {
        let now = self.link();
        if now.connected && before == now {
            Ok(())
        } else {
            Err(BusFault("not connected".into()))
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let link = state.link;
        for watcher in &state.watchers {
            watcher.send_if_modified(|seen| std::mem::replace(seen, link) != link);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while it is locked")
    }
}
