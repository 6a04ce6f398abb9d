//! The part of a run that counts for the figures, and what was sold in all of it.

use std::ops::RangeInclusive;
use std::time::Instant;

/// The part of a run that is measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) start: Instant,
    pub(super) end: Instant,
}

impl Window {
    pub(super) fn holds(self, moment: Instant) -> bool {
        self.start <= moment && moment < self.end
    }
}

/// Orders of one product, over the whole run.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sold {
    pub(super) sent: i64,
    pub(super) confirmed: i64,
    pub(super) refused: i64,
}

impl Sold {
    /// Whether anybody asked for it.
    pub(super) fn any(self) -> bool {
        self.sent > 0
    }

    /// By how much the stock must have fallen: exactly one number where every answer is known.
    pub(super) fn fell(self) -> RangeInclusive<i64> {
        self.confirmed..=self.sent - self.refused
    }
}
