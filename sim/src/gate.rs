//! Where what comes may be made to wait.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;

/// A gate, open at first. Who waits at it goes on in the order in which he came.
#[derive(Default)]
pub(crate) struct Gate {
    closed: Mutex<bool>,
    waiting: AtomicUsize,
    opened: Notify,
}

impl Gate {
    pub(crate) fn close(&self) {
        self.set(true);
    }

    pub(crate) fn open(&self) {
        self.set(false);
        self.opened.notify_waiters();
    }

    /// How many are at it.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    pub(crate) async fn pass(&self) {
        let _waiting = Waiting::at(&self.waiting);
        loop {
            let opened = self.opened.notified();
            if !*self.closed.lock().expect("no panic while it is locked") {
                return;
            }
            opened.await;
        }
    }

    fn set(&self, closed: bool) {
        *self.closed.lock().expect("no panic while it is locked") = closed;
    }
}

/// One who waits, also where it stops waiting.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn at(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::AcqRel);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
