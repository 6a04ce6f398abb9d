//! What happened in a run, for a person to read: kept only where somebody wants to.

use std::sync::{Arc, Mutex};

use tokio::time::Instant;

/// A run's trace; its clones write to the same.
#[derive(Clone)]
pub(crate) struct Trace(Option<Arc<Kept>>);

struct Kept {
    begun: Instant,
    lines: Mutex<Vec<String>>,
}

impl Trace {
    pub(crate) fn new(wanted: bool) -> Self {
        Self(wanted.then(|| {
            Arc::new(Kept {
                begun: Instant::now(),
                lines: Mutex::default(),
            })
        }))
    }

    /// Writes a line; `what` is asked only where the trace is kept.
    pub(crate) fn line(&self, what: impl FnOnce() -> String) {
        if let Some(kept) = &self.0 {
            let at = kept.begun.elapsed();
            let line = format!("{:>4}.{:03} {}", at.as_secs(), at.subsec_millis(), what());
            kept.lines
                .lock()
                .expect("no panic while it is locked")
                .push(line);
        }
    }

    pub(crate) fn take(&self) -> Vec<String> {
        self.0.as_ref().map_or_else(Vec::new, |kept| {
            let mut lines = kept.lines.lock().expect("no panic while it is locked");
            std::mem::take(&mut *lines)
        })
    }
}
