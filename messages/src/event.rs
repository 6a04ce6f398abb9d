//! Events: facts told to everybody, each under an id that never changes.

use serde::{Deserialize, Serialize};

use crate::{EntityId, Partition, Service, Timestamp, wire};

/// One event, as it travels on `event.<kind>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event<B> {
    /// The version of this form: 1.
    pub v: u64,
    /// What happened, such as `product.reserved`.
    pub kind: String,
    /// `{service}-{partition}-{number}`: the row of the owner's ledger that this tells of.
    pub id: String,
    /// The entity that it happened to.
    pub entity: EntityId,
    /// The entity's version after it.
    pub version: i64,
    /// When it was decided.
    pub at: Timestamp,
    /// What happened, in full.
    pub body: B,
}

impl Event<()> {
    /// The message of this event with a body that is MessagePack already.
    pub fn with_body(&self, body: &[u8]) -> Vec<u8> {
        let mut bytes = wire::to_vec(self);
        // The body comes last, and an empty one is one byte: nil.
        let nil = bytes.pop();
        debug_assert_eq!(nil, Some(0xc0), "the body comes last");
        bytes.extend_from_slice(body);
        bytes
    }
}

/// The id of the event that a ledger row tells.
pub fn id(service: Service, partition: Partition, number: i64) -> String {
    format!("{service}-{partition}-{number}")
}
