//! What a service says of the events that it reads.

use messages::Event;
use serde::de::DeserializeOwned;

use crate::store::Write;

/// What a service makes of events.
///
/// Pure: rows from events, and nothing else. Events of different entities may come in any order,
/// so what is made of them must not depend on it.
pub trait Projection: Send + Sync + 'static {
    /// The service's name: of its lock, its user and its metrics.
    const NAME: &'static str;
    /// The kinds of events that it reads, such as `order.confirmed`.
    const KINDS: &'static [&'static str];
    /// The body that they have.
    type Body: DeserializeOwned + Send + Sync + 'static;

    /// What these events, each new, make of the tables.
    fn writes(events: &[Event<Self::Body>]) -> Vec<Write>;
}
