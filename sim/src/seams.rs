//! Time and chance of a simulation: the runtime's paused clock, and numbers from a seed.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use messages::Timestamp;
use node::seams::{Clock, Ids};
use tokio::time::Instant;

/// 2026-01-01T00:00:00Z: when every run begins.
const BEGINNING_MS: i64 = 1_767_225_600_000;

/// A clock that goes with the runtime's own.
pub struct VirtualClock(Instant);

impl Default for VirtualClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.0.elapsed().as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(BEGINNING_MS.saturating_add(passed))
    }
}

/// The clock of one machine, which may be wrong.
pub struct MachineClock {
    right: Arc<dyn Clock>,
    ahead_ms: AtomicI64,
}

impl MachineClock {
    /// A clock that shows the right time.
    pub const fn new(right: Arc<dyn Clock>) -> Self {
        Self {
            right,
            ahead_ms: AtomicI64::new(0),
        }
    }

    /// Jumps so far ahead of the right time; back, where it is negative.
    pub fn jump(&self, ahead_ms: i64) {
        self.ahead_ms.store(ahead_ms, Ordering::Relaxed);
    }
}

impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        let ahead = self.ahead_ms.load(Ordering::Relaxed);
        self.right.now().plus_millis(ahead)
    }
}

/// Chance that is the same in every run under the same seed (`SplitMix64`).
pub struct SeededIds {
    random: AtomicU64,
    counted: AtomicU64,
}

impl SeededIds {
    /// Numbers that follow from this seed.
    pub const fn new(seed: u64) -> Self {
        Self {
            random: AtomicU64::new(seed),
            counted: AtomicU64::new(0),
        }
    }
}

impl Ids for SeededIds {
    fn random(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut value = self
            .random
            .fetch_add(STEP, Ordering::Relaxed)
            .wrapping_add(STEP);
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    fn count(&self) -> u64 {
        self.counted.fetch_add(1, Ordering::Relaxed)
    }
}

/// Chance of one part of a simulation: its own source, so that leaving out another part changes
/// nothing of what this one draws.
pub struct Chance(SeededIds);

impl Chance {
    /// The source of the part of this name and number, under a seed.
    pub fn new(seed: u64, part: &str, number: u64) -> Self {
        let source = SeededIds::new(seed ^ messages::digest::fnv1a(part.as_bytes()));
        let first = source.random();
        Self(SeededIds::new(first.wrapping_add(number.rotate_left(32))))
    }

    /// A number below `end`, which is at least 1.
    pub fn below(&self, end: u64) -> u64 {
        self.0.random() % end
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True so many times out of a hundred.
    pub fn percent(&self, times: u64) -> bool {
        self.below(100) < times
    }

    /// One of these, which are not none.
    pub fn pick<'a, T>(&self, these: &'a [T]) -> &'a T {
        let n = usize::try_from(self.below(these.len() as u64));
        &these[n.expect("an index fits")]
    }
}
