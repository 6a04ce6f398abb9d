//! What is to be told as events, on its way from the journal to the teller.
//!
//! It never holds the journal up: where too much waits the next is let go, and noted, since the
//! ledger has it. Read next: [`super::teller`].

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use messages::Partition;
use tokio::sync::{Notify, mpsc};

use super::turn::Told;
use crate::store::{Mark, PositionWrite};

/// What was let go because too much waited: the ledger is read up to these numbers instead.
#[derive(Default)]
pub(super) struct LetGo {
    numbers: Mutex<BTreeMap<Partition, i64>>,
    pub(super) some: Notify,
}

/// The teller's end.
pub(super) struct Queue {
    pub(super) told: mpsc::UnboundedReceiver<Vec<Told>>,
    /// How many rows wait, those included that are being told.
    pub(super) waiting: Arc<AtomicUsize>,
    pub(super) let_go: Arc<LetGo>,
    /// How far events have been told.
    pub(super) marks: Arc<Mutex<BTreeMap<(Mark, Partition), PositionWrite>>>,
}

/// The journal's end.
pub(super) struct Telling {
    told: mpsc::UnboundedSender<Vec<Told>>,
    waiting: Arc<AtomicUsize>,
    waiting_max: usize,
    let_go: Arc<LetGo>,
    marks: Arc<Mutex<BTreeMap<(Mark, Partition), PositionWrite>>>,
}

impl Telling {
    /// Both ends; so many rows may wait between them.
    pub(super) fn new(waiting_max: usize) -> (Arc<Self>, Queue) {
        let (sender, told) = mpsc::unbounded_channel();
        let queue = Queue {
            told,
            waiting: Arc::default(),
            let_go: Arc::default(),
            marks: Arc::default(),
        };
        let telling = Self {
            told: sender,
            waiting: Arc::clone(&queue.waiting),
            waiting_max,
            let_go: Arc::clone(&queue.let_go),
            marks: Arc::clone(&queue.marks),
        };
        (Arc::new(telling), queue)
    }

    /// Hands on what was committed. Where too much waits it is let go: the ledger has it.
    pub(super) fn tell(&self, told: Vec<Told>) {
        if told.is_empty() {
            return;
        }
        if self.waiting.load(Ordering::Acquire) > self.waiting_max {
            self.let_go.add(&told);
            return;
        }
        self.waiting.fetch_add(told.len(), Ordering::AcqRel);
        // The teller is gone when the session has ended: the next one reads the ledger.
        let _ = self.told.send(told);
    }

    /// How far events have been told since this was last asked.
    pub(super) fn marks(&self) -> Vec<PositionWrite> {
        let mut marks = self
            .marks
            .lock()
            .expect("no panic while the marks are locked");
        std::mem::take(&mut *marks).into_values().collect()
    }

    /// Whether all that was handed on is told.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.load(Ordering::Acquire) == 0
    }
}

impl LetGo {
    fn add(&self, told: &[Told]) {
        let mut numbers = self.lock();
        for one in told {
            let number = numbers.entry(one.partition).or_default();
            *number = (*number).max(one.number);
        }
        drop(numbers);
        self.some.notify_one();
    }

    pub(super) fn take(&self) -> BTreeMap<Partition, i64> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Partition, i64>> {
        self.numbers.lock().expect("no panic while it is locked")
    }
}
