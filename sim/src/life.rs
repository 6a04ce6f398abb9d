//! Whether a process lives, as its connections to the broker and to its database see it.
//!
//! A process that has ended reaches nobody any more; one that is stopped (as by `SIGSTOP`) neither
//! says nor hears anything until it goes on. What it holds in memory it keeps.

use std::sync::{Mutex, MutexGuard};

use tokio::sync::Notify;

/// What is done when a process ends.
type Last = Box<dyn FnOnce() + Send>;

/// The life of one process.
#[derive(Default)]
pub struct Life {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    over: bool,
    stopped: bool,
    /// How many exchanges are left before it dies by itself.
    fuse: Option<u64>,
    last: Vec<Last>,
}

/// The process has ended.
pub(crate) struct Over;

impl Life {
    /// Ends the process at once: nothing that it does from now on reaches anybody.
    pub fn end(&self) {
        let last = {
            let mut state = self.lock();
            state.over = true;
            state.fuse = None;
            std::mem::take(&mut state.last)
        };
        for last in last {
            last();
        }
        self.changed.notify_waiters();
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        self.lock().over
    }

    /// Waits until it has ended.
    pub async fn over(&self) {
        self.until(|state| state.over).await;
    }

    /// Stops it: from now on nothing passes in or out.
    pub fn stop(&self) {
        self.lock().stopped = true;
    }

    /// Has it go on.
    pub fn go_on(&self) {
        self.lock().stopped = false;
        self.changed.notify_waiters();
    }

    /// Ends it at its n-th exchange with the broker or the database from now on, before that is
    /// begun.
    pub fn end_after(&self, exchanges: u64) {
        self.lock().fuse = Some(exchanges);
    }

    /// Waits as long as it is stopped.
    pub async fn pass(&self) {
        self.until(|state| !state.stopped || state.over).await;
    }

    /// Adds what is done when it ends; done at once where it has.
    pub(crate) fn at_last(&self, last: impl FnOnce() + Send + 'static) {
        let mut state = self.lock();
        if state.over {
            drop(state);
            last();
        } else {
            state.last.push(Box::new(last));
        }
    }

    /// Begins or ends an exchange with the outside, once it is not stopped.
    pub(crate) async fn exchange(&self) -> Result<(), Over> {
        self.pass().await;
        self.exchange_now()
    }

    /// The same where nobody can wait.
    pub(crate) fn exchange_now(&self) -> Result<(), Over> {
        let dies = {
            let mut state = self.lock();
            if state.over {
                return Err(Over);
            }
            match &mut state.fuse {
                Some(0) => true,
                Some(left) => {
                    *left -= 1;
                    false
                }
                None => false,
            }
        };
        if dies {
            self.end();
            return Err(Over);
        }
        Ok(())
    }

    async fn until(&self, so: impl Fn(&State) -> bool) {
        loop {
            // Made before the look, so that no change is missed between the two.
            let changed = self.changed.notified();
            if so(&self.lock()) {
                return;
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while it is locked")
    }
}
