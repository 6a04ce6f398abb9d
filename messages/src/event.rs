//! Events: facts told to everybody, each under an id that never changes.
//!
//! A message has one of them, as a map, or several of one kind, as an array of such maps: where many
//! wait they leave together.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::{
    EntityId, Partition, Service, Timestamp,
    wire::{self, DecodeError},
};

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
        let mut bytes = wire::to_vec_before(self, body.len());
        // The body comes last, and an empty one is one byte: nil.
        let nil = bytes.pop();
        debug_assert_eq!(nil, Some(0xc0), "the body comes last");
        bytes.extend_from_slice(body);
        bytes
    }
}

/// The id of the event that a ledger row tells.
pub fn id(service: Service, partition: Partition, number: i64) -> String {
    // Room for it: what grows is moved.
    let mut id = String::with_capacity(32);
    let _ = write!(id, "{service}-{partition}-{number}");
    id
}

/// The payload that carries these events: one alone is a map, several are an array of maps.
pub fn join(mut events: Vec<Vec<u8>>) -> Vec<u8> {
    match (events.pop(), events.is_empty()) {
        (Some(alone), true) => alone,
        (last, _) => {
            events.extend(last);
            wire::join(events.iter().map(Vec::as_slice))
        }
    }
}

/// The events of a payload, each by its own bytes.
///
/// Ends after the first piece that is no MessagePack at all, since nothing behind it can be found.
pub fn split(payload: &[u8]) -> Vec<Result<&[u8], DecodeError>> {
    let several = payload.first().is_some_and(|byte| {
        use rmp::Marker::{Array16, Array32, FixArray};
        matches!(rmp::Marker::from_u8(*byte), FixArray(_) | Array16 | Array32)
    });
    if several {
        wire::split(payload)
    } else {
        vec![Ok(payload)]
    }
}

/// The ids of the events of a payload, as far as it can be read.
pub fn ids(payload: &[u8]) -> Vec<String> {
    #[derive(Deserialize)]
    struct Named {
        id: String,
    }
    let events = split(payload).into_iter().flatten();
    events
        .filter_map(|event| wire::from_slice(event).ok())
        .map(|Named { id }| id)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: i64) -> Vec<u8> {
        let event = Event {
            v: 1,
            kind: "order.confirmed".into(),
            id: id(Service::Order, Partition(3), number),
            entity: EntityId::from("o-1"),
            version: 2,
            at: Timestamp::default(),
            body: (),
        };
        event.with_body(&wire::to_vec(&"what happened"))
    }

    #[test]
    fn one_event_is_a_map_and_several_are_an_array() {
        let one = join(vec![event(7)]);
        assert_eq!(one, event(7));
        assert_eq!(split(&one), [Ok(&event(7)[..])]);
        assert_eq!(ids(&one), ["order-3-7"]);

        for several in [2, 20, 70_000] {
            let events: Vec<Vec<u8>> = (0..several).map(event).collect();
            let payload = join(events.clone());
            let pieces: Vec<&[u8]> = split(&payload).into_iter().map(Result::unwrap).collect();
            assert_eq!(pieces, events);
        }
        assert_eq!(
            ids(&join(vec![event(1), event(2)])),
            ["order-3-1", "order-3-2"]
        );
    }

    #[test]
    fn what_is_no_event_hides_none_before_it() {
        let mut payload = join(vec![event(1), wire::to_vec(&5), event(2)]);
        assert_eq!(ids(&payload), ["order-3-1", "order-3-2"]);
        payload.truncate(payload.len() - 1);
        assert_eq!(ids(&payload), ["order-3-1"]);
        assert!(split(&payload).last().unwrap().is_err());
        assert_eq!(split(&[]), [Ok(&[][..])]);
        assert!(ids(&[0xc1]).is_empty());
    }
}
