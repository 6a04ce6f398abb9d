//! Fingerprints of command bodies, by which a repeat is told from a misuse of its id.

use std::fmt;

use serde::Serialize;

/// FNV-1a, 64 bit (draft-eastlake-fnv): small, and the same on every machine for ever.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The fingerprint of a body: equal bodies have equal digests. It protects against mistakes, not
/// against somebody who looks for two bodies with one digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(i64);

impl Digest {
    /// The digest of a value: of its kind and of its MessagePack with named fields.
    pub fn of(kind: &str, body: &impl Serialize) -> Self {
        let bytes = crate::wire::to_vec(body);
        let hash = fnv1a(kind.as_bytes()).rotate_left(1) ^ fnv1a(&bytes);
        Self(hash.cast_signed())
    }

    /// Takes a digest as a database keeps it.
    pub const fn from_stored(stored: i64) -> Self {
        Self(stored)
    }

    /// The digest as a database keeps it.
    pub const fn stored(self) -> i64 {
        self.0
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
