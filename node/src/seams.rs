//! Time and chance: the two things besides the store and the broker that come from outside.
//!
//! Everything that a node does with either goes through here, so that a whole system runs under a
//! seed. Waiting goes through `tokio::time`, which a simulation pauses.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher as _, Hasher as _},
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

use messages::Timestamp;
use uuid::{Builder, Uuid};

/// The wall clock.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The source of ids and of all other chance.
pub trait Ids: Send + Sync + 'static {
    /// Sixty-four random bits.
    fn random(&self) -> u64;

    /// A number that no other call on this source answers, until 64 bits are used up.
    fn count(&self) -> u64;

    /// A UUID of version 7 for this time, with a counter of 12 bits behind the time (RFC 9562, 6.2,
    /// method 1): two of one process differ before their random bits do.
    fn uuid(&self, now: Timestamp) -> Uuid {
        let mut bytes = [0; 10];
        bytes[..2].copy_from_slice(&self.count().to_be_bytes()[6..]);
        bytes[2..].copy_from_slice(&self.random().to_be_bytes());
        Builder::from_unix_timestamp_millis(now.millis().cast_unsigned(), &bytes).into_uuid()
    }
}

/// The clock of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place where the machine's clock is read"
    )]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// Chance from the operating system: a keyed hash (`SipHash`) of a counter, each key drawn by it.
pub struct SystemIds {
    keys: [RandomState; 2],
    drawn: AtomicU64,
    counted: AtomicU64,
}

impl Default for SystemIds {
    fn default() -> Self {
        Self {
            keys: [RandomState::new(), RandomState::new()],
            drawn: AtomicU64::new(0),
            counted: AtomicU64::new(0),
        }
    }
}

impl Ids for SystemIds {
    fn random(&self) -> u64 {
        let n = self.drawn.fetch_add(1, Ordering::Relaxed);
        self.keys.iter().fold(n, |value, key| {
            let mut hasher = key.build_hasher();
            hasher.write_u64(value);
            hasher.finish()
        })
    }

    fn count(&self) -> u64 {
        self.counted.fetch_add(1, Ordering::Relaxed)
    }
}
