//! How far a long audit is, for a person who waits; nothing where nobody watches.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A line on standard error.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Shown where standard error is a terminal.
    pub(super) fn on_terminal() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::hidden();
        }
        let style = ProgressStyle::with_template("{spinner} {msg} {human_pos} rows, {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = ProgressBar::new_spinner().with_style(style);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// Never shown.
    pub(super) fn hidden() -> Self {
        Self(ProgressBar::hidden())
    }

    /// A new part of the work.
    pub(super) fn part(&self, what: &'static str) {
        self.0.set_message(what);
        self.0.set_position(0);
    }

    /// One row more.
    pub(super) fn row(&self) {
        self.0.inc(1);
    }

    /// The work is done.
    pub(super) fn done(&self) {
        self.0.finish_and_clear();
    }
}
