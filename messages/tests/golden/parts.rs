//! What the samples are made of: how one is made, and values that never change.

use std::fmt::Debug;

use messages::{
    Body, EntityId, Envelope, Event, Money, OrderId, Origin, Partition, ProductId, Quantity,
    RequestId, Service, Subject, Timestamp, UserId, envelope, event, order, product, wire,
};
use serde::{Serialize, de::DeserializeOwned};

/// A message, the bytes that the code makes of it, and a reader that demands it back.
pub(crate) struct Sample {
    /// The name of its file: its kind, and what is special about it.
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) reads: Reads,
}

type Reads = Box<dyn Fn(&[u8])>;

pub(crate) const ORDER: &str = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
pub(crate) const PRODUCT: &str = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5c";

/// An envelope with every optional field.
pub(crate) fn full<B>(body: B) -> Envelope<B> {
    Envelope {
        source: Some(ORDER.into()),
        reply_to: Some(Subject::Reply(Service::Order, Partition(3))),
        causation: Some("01J-request".into()),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        ..bare(body)
    }
}

/// An envelope without any.
pub(crate) fn bare<B>(body: B) -> Envelope<B> {
    Envelope {
        request_id: RequestId::reserve(ORDER, 1),
        entity: EntityId::from(PRODUCT),
        source: None,
        origin: Origin::Saga,
        reply_to: None,
        causation: None,
        traceparent: None,
        at: at(),
        body,
    }
}

pub(crate) fn said<B>(special: &str, message: Envelope<B>) -> Sample
where
    B: Body + Debug + PartialEq + 'static,
{
    let kind = message.body.kind().to_owned();
    Sample {
        name: if special.is_empty() {
            kind.clone()
        } else {
            format!("{kind}.{special}")
        },
        kind,
        bytes: wire::encode(&message),
        reads: Box::new(move |bytes| {
            assert_eq!(envelope::decode::<B>(bytes).as_ref(), Ok(&message));
        }),
    }
}

pub(crate) fn told<B>(kind: &str, service: Service, body: B) -> Sample
where
    B: Serialize + DeserializeOwned + Debug + PartialEq + 'static,
{
    let message = Event {
        v: 1,
        kind: kind.to_owned(),
        id: event::id(service, Partition(3), 300),
        entity: EntityId::from(PRODUCT),
        version: 7,
        at: at(),
        body,
    };
    Sample {
        name: format!("event.{kind}"),
        kind: kind.to_owned(),
        bytes: wire::to_vec(&message),
        reads: Box::new(move |bytes| {
            assert_eq!(wire::from_slice::<Event<B>>(bytes).as_ref(), Ok(&message));
        }),
    }
}

pub(crate) fn reserve() -> product::Command {
    product::Command::Reserve(product::Reserve {
        order_id: ORDER.into(),
        quantity: quantity(3),
    })
}

pub(crate) fn view() -> order::View {
    order::View {
        id: order_id(),
        code: "7K2M-9QXT".into(),
        buyer_id: buyer(),
        items: vec![order::LineView {
            product_id: product_id(),
            name: Some("mug".into()),
            unit_price: Some(money(39_000)),
            quantity: quantity(3),
            amount: Some(money(117_000)),
        }],
        status: order::Status::Confirmed,
        fail_reason: None,
        subtotal: Some(money(117_000)),
        discount: None,
        points_used: None,
        amount_due: Some(money(117_000)),
        cancelling: false,
        created_at: at(),
        updated_at: at().plus_millis(7),
    }
}

pub(crate) fn order_id() -> OrderId {
    ORDER.parse().expect("a UUID")
}

pub(crate) fn product_id() -> ProductId {
    PRODUCT.parse().expect("a UUID")
}

pub(crate) fn buyer() -> UserId {
    "u-001".parse().expect("a name")
}

pub(crate) fn at() -> Timestamp {
    "2026-01-31T12:00:00.007Z".parse().expect("a time")
}

pub(crate) fn money(minor_units: i64) -> Money {
    Money::new(minor_units).expect("an amount")
}

pub(crate) fn quantity(pieces: u32) -> Quantity {
    Quantity::new(pieces).expect("a quantity")
}
