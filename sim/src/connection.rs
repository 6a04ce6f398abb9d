//! A process's connection to the broker, as the broker knows it: there, gone, or silent.

use std::sync::{Arc, Mutex, MutexGuard};

use node::bus::{BusFault, Link};
use tokio::sync::watch;

use crate::life::Life;

/// A connection, which outlives its breaks.
pub(crate) struct Connection {
    pub(crate) life: Arc<Life>,
    state: Mutex<State>,
}

struct State {
    link: Link,
    silent: bool,
    /// One for each who looks: who waits on one alone is woken in an order that does not depend
    /// on chance.
    watchers: Vec<watch::Sender<Link>>,
}

impl Connection {
    pub(crate) fn new(life: Arc<Life>) -> Arc<Self> {
        let state = State {
            link: Link {
                connected: true,
                connections: 1,
            },
            silent: false,
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

    /// Is made anew, where its process lives.
    pub(crate) fn reconnect(&self) {
        if self.life.is_over() {
            return;
        }
        self.change(|state| {
            state.silent = false;
            state.link.connected = true;
            state.link.connections += 1;
        });
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
