//! Time and chance of a model: the runtime's paused clock, and numbers from a seed.

use std::sync::atomic::{AtomicU64, Ordering};

use ::node::seams::{Clock, Ids};
use messages::Timestamp;
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
