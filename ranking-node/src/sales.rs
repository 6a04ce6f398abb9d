//! What orders sold, by day and product.
//!
//! An order counts for the day on which it was placed, its cancel takes the same pieces from the
//! same day. So an order's two events may come in any order, and a cancel never falls on a day on
//! which nothing was sold.

use std::collections::BTreeMap;

use messages::{Event, ProductId, Quantity, Timestamp};
use node::{
    events::Projection,
    store::Write,
    table::{Column, Value},
};
use serde::Deserialize;

use crate::day::Day;

/// The kind of the event that counts.
const CONFIRMED: &str = "order.confirmed";
/// The kind of the event that takes back.
const CANCELLED: &str = "order.cancelled";

const TABLE: &str = "sales_daily";
const COLUMNS: [Column; 4] = [
    Column::text("product_id"),
    Column::text("day"),
    Column::text("name"),
    Column::integer("quantity"),
];
const ADD: &str = "ON CONFLICT (product_id, day) DO UPDATE \
     SET quantity = sales_daily.quantity + excluded.quantity, name = excluded.name";

/// What is read of an order in its events; it says more, which does not matter here.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Its lines.
    items: Vec<Line>,
    /// When it was placed.
    created_at: Timestamp,
}

/// What is read of a line.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    product_id: ProductId,
    name: Option<String>,
    quantity: Quantity,
}

/// Counts what orders sold.
#[derive(Clone, Copy, Debug)]
pub struct Sales;

impl Projection for Sales {
    const NAME: &'static str = "ranking";
    const KINDS: &'static [&'static str] = &[CONFIRMED, CANCELLED];

    type Body = Order;

    fn writes(events: &[Event<Order>]) -> Vec<Write> {
        let rows: Vec<Vec<Value>> = sold(events)
            .into_iter()
            .map(|((product, day), (name, quantity))| {
                vec![
                    product.to_string().into(),
                    day.to_string().into(),
                    name.into(),
                    quantity.into(),
                ]
            })
            .collect();
        vec![Write {
            table: TABLE,
            columns: &COLUMNS,
            conflict: ADD,
            rows,
        }]
    }
}

/// The name that each product has in these events, by day, and by how many pieces they change what
/// was sold of it.
pub(crate) fn sold(events: &[Event<Order>]) -> BTreeMap<(ProductId, Day), (&str, i64)> {
    let mut sold = BTreeMap::new();
    for event in events {
        let sign = if event.kind == CANCELLED { -1 } else { 1 };
        let day = Day::of(event.body.created_at);
        for line in &event.body.items {
            let name = line.name.as_deref().unwrap_or_default();
            let cell = sold.entry((line.product_id, day)).or_insert((name, 0));
            *cell = (name, cell.1 + sign * i64::from(line.quantity.get()));
        }
    }
    sold
}

#[cfg(test)]
pub(crate) mod tests;
