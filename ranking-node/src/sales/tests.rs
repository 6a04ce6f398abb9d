//! Sums over events: of days and products, in any order and any batches.

use messages::wire;
use proptest::prelude::*;

use super::*;

const MUG: u128 = 1;
const CUP: u128 = 2;

pub(crate) fn event(kind: &str, placed: &str, lines: &[(u128, u32)]) -> Event<Order> {
    let items = lines.iter().map(|(product, quantity)| Line {
        product_id: id(*product),
        name: Some(format!("product {product}")),
        quantity: Quantity::new(*quantity).expect("a quantity"),
    });
    Event {
        v: 1,
        kind: kind.into(),
        id: "order-1-1".into(),
        entity: messages::EntityId::from("o-1"),
        version: 1,
        at: "2026-02-02T00:00:00.000Z".parse().expect("a time"),
        body: Order {
            items: items.collect(),
            created_at: placed.parse().expect("a time"),
        },
    }
}

fn id(product: u128) -> ProductId {
    format!("01930000-0000-7000-8000-{product:012x}")
        .parse()
        .expect("an id")
}

/// The rows as (product, day, quantity).
fn rows(events: &[Event<Order>]) -> Vec<(String, String, i64)> {
    let writes = Sales::writes(events);
    assert_eq!(writes.len(), 1);
    writes[0]
        .rows
        .iter()
        .map(|row| match &row[..] {
            [
                Value::Text(Some(product)),
                Value::Text(Some(day)),
                Value::Text(Some(_)),
                Value::Integer(Some(quantity)),
            ] => (product.clone(), day.clone(), *quantity),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn orders_of_a_day_are_one_row_a_product() {
    let (today, later) = ("2026-01-31T10:00:00.000Z", "2026-01-31T11:00:00.000Z");
    let events = [
        event(CONFIRMED, today, &[(MUG, 3), (CUP, 1)]),
        event(CONFIRMED, later, &[(MUG, 2)]),
        event(CONFIRMED, "2026-02-01T00:00:00.000Z", &[(MUG, 7)]),
    ];
    let (mug, cup) = (id(MUG).to_string(), id(CUP).to_string());
    assert_eq!(
        rows(&events),
        [
            (mug.clone(), "2026-01-31".into(), 5),
            (mug, "2026-02-01".into(), 7),
            (cup, "2026-01-31".into(), 1),
        ]
    );
}

#[test]
fn a_cancel_takes_from_the_day_of_its_order_whichever_comes_first() {
    let placed = "2026-01-31T23:59:59.999Z";
    let (yes, no) = (
        event(CONFIRMED, placed, &[(MUG, 3)]),
        event(CANCELLED, placed, &[(MUG, 3)]),
    );
    let nothing = [(id(MUG).to_string(), "2026-01-31".to_owned(), 0)];
    assert_eq!(rows(&[yes.clone(), no.clone()]), nothing);
    assert_eq!(rows(&[no, yes]), nothing);
}

/// The bytes that every order tells, as the wire contract keeps them.
#[test]
fn what_an_order_tells_is_read() {
    for (kind, dump) in [
        (
            CONFIRMED,
            include_str!("../../../messages/tests/golden/event.order.confirmed.hex"),
        ),
        (
            CANCELLED,
            include_str!("../../../messages/tests/golden/event.order.cancelled.hex"),
        ),
    ] {
        let bytes: Vec<u8> = dump
            .lines()
            .map(|line| line.split_once("  |").map_or(line, |(hex, _)| hex))
            .flat_map(str::split_whitespace)
            .map(|byte| u8::from_str_radix(byte, 16).expect("hex digits"))
            .collect();
        let told: Event<Order> = wire::from_slice(&bytes).expect("an event");
        assert_eq!(told.kind, kind);
        let rows = rows(&[told]);
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert_eq!(rows[0].1, "2026-01-31");
        assert_eq!(rows[0].2, if kind == CONFIRMED { 3 } else { -3 });
    }
}

proptest! {
    /// However a stream is cut into batches, the sums are the same.
    #[test]
    fn batches_do_not_matter(
        orders in proptest::collection::vec((1..4_u128, 1..100_u32, any::<bool>()), 1..40),
        cut in 0..40_usize,
    ) {
        let events: Vec<_> = orders
            .iter()
            .map(|(product, quantity, confirmed)| {
                let kind = if *confirmed { CONFIRMED } else { CANCELLED };
                event(kind, "2026-01-31T10:00:00.000Z", &[(*product, *quantity)])
            })
            .collect();
        let cut = cut.min(events.len());
        let mut sums = BTreeMap::new();
        for (product, day, quantity) in [rows(&events[..cut]), rows(&events[cut..])].concat() {
            *sums.entry((product, day)).or_insert(0) += quantity;
        }
        let whole: BTreeMap<_, _> = rows(&events)
            .into_iter()
            .map(|(product, day, quantity)| ((product, day), quantity))
            .collect();
        prop_assert_eq!(sums, whole);
    }
}
