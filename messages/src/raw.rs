//! A body that is passed on unread, so that a host sends what it does not understand.

use serde::{Deserializer, Serialize, Serializer};

use crate::{
    envelope::{Body, Written, unknown},
    wire,
};

/// A body that is passed on unread: its kind, and its value as any MessagePack reader sees it.
///
/// For writing alone: what comes in is always read as one of a known set of kinds.
#[derive(Clone, Debug, PartialEq)]
pub struct Raw {
    kind: &'static str,
    value: rmpv::Value,
}

impl Raw {
    /// The body of a message, as it will travel.
    pub fn of(body: &impl Body) -> Self {
        let bytes = wire::to_vec(&Written(body));
        Self {
            kind: body.kind(),
            value: rmpv::decode::read_value(&mut bytes.as_slice())
                .expect("what was just written is MessagePack"),
        }
    }
}

impl Body for Raw {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }

    fn read<'de, D: Deserializer<'de>>(_: &str, deserializer: D) -> Result<Option<Self>, D::Error> {
        unknown(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        EntityId, Envelope, Origin, Quantity, RequestId, Timestamp, envelope::decode, product,
    };

    #[test]
    fn a_raw_body_travels_as_the_body_it_was_made_of() {
        let command = product::Command::Reserve(product::Reserve {
            order_id: "o-1".into(),
            quantity: Quantity::new(3).expect("a quantity"),
        });
        let envelope = |body| Envelope {
            request_id: RequestId::from("DEC-o-1"),
            entity: EntityId::from("mug"),
            source: None,
            origin: Origin::Saga,
            reply_to: None,
            causation: None,
            traceparent: None,
            at: Timestamp::default(),
            body,
        };
        let bytes = wire::encode(&envelope(Raw::of(&command)));
        let read = decode::<product::Command>(&bytes).expect("readable");
        assert_eq!(read.body, command);
    }
}
