//! What the ranking says, and events told to it by hand.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::hand::{self, Hand};
use crate::{Client, Load, Node, System, Told, eventually};

/// The question that the stories ask.
pub const TOP: &str = "/stats/products/top?days=3&limit=5";

/// A ranking-node, or an `onhand up`, as somebody who asks it for best sellers.
pub struct Ranking {
    client: Client,
}

impl Ranking {
    /// The ranking that this node has.
    pub fn of(node: &Node) -> Self {
        Self {
            client: Client::new(node.url(), []),
        }
    }

    /// The first ranking-node of a system.
    pub fn in_system(system: &System) -> Self {
        Self::of(system.peek("ranking-node"))
    }

    /// A client of it.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Waits until it says that these sold so many, best first.
    pub async fn says(&self, expected: &[(&str, i64)]) {
        let expected: Vec<(String, i64, i64)> = expected
            .iter()
            .zip(1..)
            .map(|((name, quantity), rank)| ((*name).to_owned(), *quantity, rank))
            .collect();
        eventually("the best sellers", async || {
            let answer = self.client.get(TOP).await;
            let rows = answer.body.as_array().cloned().unwrap_or_default();
            let said: Vec<(String, i64, i64)> = rows
                .iter()
                .map(|row| {
                    (
                        text(row, "name"),
                        number(row, "quantity"),
                        number(row, "rank"),
                    )
                })
                .collect();
            (said == expected)
                .then_some(())
                .ok_or(format!("{} instead of {expected:?}", answer.body))
        })
        .await;
    }

    /// Waits until it says what the orders of a load say that are confirmed.
    pub async fn says_what_was_confirmed(&self, client: &Client, load: &Load, told: &[Told]) {
        let mut expected: BTreeMap<String, i64> =
            load.products.iter().map(|id| (id.clone(), 0)).collect();
        for told in told {
            if client.order(&told.order).await["status"] == "CONFIRMED" {
                for (product, quantity) in &told.lines {
                    *expected.entry(product.clone()).or_default() += quantity;
                }
            }
        }
        expected.retain(|_, quantity| *quantity > 0);
        assert!(!expected.is_empty(), "nothing was confirmed");
        eventually("the ranking to say what was confirmed", async || {
            let answer = self.client.get("/stats/products/top?limit=100").await;
            let rows = answer.body.as_array().cloned().unwrap_or_default();
            let said: BTreeMap<String, i64> = rows
                .iter()
                .map(|row| (text(row, "productId"), number(row, "quantity")))
                .collect();
            (said == expected)
                .then_some(())
                .ok_or(format!("{said:?} instead of {expected:?}"))
        })
        .await;
    }

    /// How many events it read with this outcome.
    pub async fn events(&self, outcome: &str) -> u64 {
        let answer = self.client.get("/metrics").await;
        let text = answer.body.as_str().unwrap_or_default().to_owned();
        text.lines()
            .filter(|line| line.starts_with("onhand_events_taken_total"))
            .find(|line| line.contains(&format!("outcome=\"{outcome}\"")))
            .and_then(|line| line.rsplit(' ').next()?.parse().ok())
            .unwrap_or(0)
    }
}

/// Tells, by hand, that an order of today sold a product.
pub async fn tell(hand: &Hand, event: &Value) {
    let subject = format!("event.{}", text(event, "kind"));
    hand.say_bytes(&subject, hand::pack(event)).await;
}

/// An event as an order of today tells it, as far as the contract says that it matters here.
pub fn event(kind: &str, id: &str, product: &str, quantity: i64) -> Value {
    let today = messages::Timestamp::from_millis(now_ms()).to_string();
    json!({
        "v": 1, "kind": kind, "id": id, "entity": "o-1", "version": 1, "at": today,
        "body": {
            "id": "o-1", "createdAt": today,
            "items": [{"productId": product, "name": "a mug", "quantity": quantity}],
        },
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the programs under test run on this machine's clock"
)]
fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
    let since = since.expect("this machine's clock is set");
    i64::try_from(since.as_millis()).expect("milliseconds of this era")
}

fn text(row: &Value, field: &str) -> String {
    row[field].as_str().unwrap_or_default().to_owned()
}

fn number(row: &Value, field: &str) -> i64 {
    row[field].as_i64().unwrap_or_default()
}
