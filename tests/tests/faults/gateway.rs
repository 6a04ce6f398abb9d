//! The gateway is away while payments are asked for, and payment-node dies beside it.

use std::time::Duration;

use onhand_tests::gateway::{Gateway, KEY, SECRET};
use onhand_tests::{Client, Database, System};

use crate::ground::Ground;

/// How long the gateway is away.
const AWAY: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_is_away_for_a_minute_and_payment_node_dies_meanwhile() {
    let gateway = Gateway::start().await;
    let mut system = System::ground(Database::Postgres).await;
    for (name, value) in [
        ("ONHAND_PAYMENT_GATEWAY", "portone"),
        ("ONHAND_PORTONE_URL", &gateway.url()),
        ("ONHAND_PORTONE_KEY", KEY),
        ("ONHAND_PORTONE_SECRET", SECRET),
        // Shorter times than a person is given.
        ("ONHAND_ORDER_DEADLINE_MS", "3000"),
        ("ONHAND_PAYMENT_GATEWAY_WAIT_MS", "700"),
        ("ONHAND_PAYMENT_GRACE_MS", "8000"),
        ("ONHAND_RESEND_MAX_MS", "1000"),
    ] {
        system.tell(name, value);
    }
    system.start_separate().await;
    let ground = Ground::under(&system).await;

    gateway.set_down(true);
    for _ in 0..3 {
        tokio::time::sleep(AWAY / 4).await;
        system.node("payment-node").kill9();
        system.node("payment-node").start_again().await;
    }
    tokio::time::sleep(AWAY / 4).await;
    gateway.set_down(false);

    let client = system.client();
    ground.agrees(&mut system).await;
    // What the gateway has in its own books is what confirmed orders were to pay.
    onhand_tests::eventually("the gateway to have what is due", async || {
        let due = due(&client).await;
        let has = gateway.has();
        (has == due)
            .then_some(())
            .ok_or(format!("{has}, not {due}"))
    })
    .await;
}

/// What the payments of all confirmed orders come to.
async fn due(client: &Client) -> i64 {
    let mut due = 0;
    for page in 0.. {
        let path = format!("/orders?size=200&status=CONFIRMED&page={page}");
        let orders = client.get(&path).await.expect(200).body;
        let orders = orders["items"].as_array().unwrap().clone();
        if orders.is_empty() {
            break;
        }
        due += orders
            .iter()
            .filter_map(|order| order["amountDue"].as_i64())
            .sum::<i64>();
    }
    due
}
