//! Money at the sandbox: taken once for an order that is confirmed, and for nothing else.

use onhand_tests::{Client, Database, Node, System, check, eventually, shop};
use serde_json::{Value, json};

use crate::paying::{PRICE, external, failed, hurry, name, pay};

#[tokio::test]
async fn each_token_of_the_sandbox_does_as_it_says() {
    let system = sandbox(Database::Sqlite).await;
    each_token(&system).await;
}

#[tokio::test]
async fn each_token_of_the_sandbox_does_as_it_says_on_postgres() {
    let system = sandbox(Database::Postgres).await;
    each_token(&system).await;
}

async fn each_token(system: &System) {
    let client = system.client();
    let shop = shop(&client).product("mug", 100).open().await;
    let mug = shop.id("mug");

    for token in ["approve", "twice"] {
        let order = pay(&client, mug, token).await.expect(201);
        assert_eq!(order.body["status"], "CONFIRMED");
        let order = order.text("id");
        let charged = of(&client, &order).await;
        assert_eq!(charged, [("paid".to_owned(), PRICE)], "{token}");
        let payment = client.get(&format!("/payments/{order}")).await.expect(200);
        assert_eq!(
            payment.body,
            json!({"orderId": order, "amount": PRICE, "status": "AUTHORISED",
                "gateway": "sandbox", "gatewayId": format!("sbx_{order}")})
        );
        let cancelled = client.cancel(&order).await.expect(200);
        assert_eq!(cancelled.body["status"], "CANCELLED");
        assert_eq!(of(&client, &order).await, [("cancelled".to_owned(), PRICE)]);
    }
    for token in ["decline", "no-such-token"] {
        let refused = pay(&client, mug, token).await;
        refused.expect_error(402, "PAYMENT_DECLINED");
        assert_eq!(failed(&refused)["failReason"], "PAYMENT_DECLINED");
    }
    let silent = pay(&client, mug, "timeout").await;
    silent.expect_error(424, "DEPENDENCY_FAILED");
    let late = pay(&client, mug, "late").await;
    late.expect_error(424, "DEPENDENCY_FAILED");
    let late = failed(&late)["id"].as_str().unwrap().to_owned();
    eventually("the late charge is given back", async || {
        match &of(&client, &late).await[..] {
            [(status, _)] if status == "cancelled" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let silent = failed(&silent)["id"].as_str().unwrap().to_owned();
    assert_eq!(of(&client, &silent).await, []);
    eventually("all stock is back", async || {
        let left = client.stock(mug).await;
        (left == 100).then_some(()).ok_or(left)
    })
    .await;
    check::audit_is_clean(system).await;
}

#[tokio::test]
async fn a_payment_that_was_never_asked_for_is_not_found() {
    let system = sandbox(Database::Sqlite).await;
    let client = system.client();
    let unknown = client
        .get("/payments/0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")
        .await;
    unknown.expect_error(404, "NOT_FOUND");
    let bad = client.get("/payments/mug").await;
    bad.expect_error(400, "VALIDATION_ERROR");
    for body in [
        json!({"merchantUid": "a b", "amount": 1}),
        json!({"merchantUid": "a", "amount": -1}),
        json!({"merchantUid": "a"}),
        json!({"merchantUid": "a", "amount": 1, "x": 1}),
    ] {
        let bad = client.post("/sandbox/payments", &body).await;
        bad.expect_error(400, "VALIDATION_ERROR");
    }
}

#[tokio::test]
async fn an_order_is_paid_outside_in_every_way() {
    let system = sandbox(Database::Sqlite).await;
    let client = system.client();
    let shop = shop(&client).product("mug", 100).open().await;
    let mug = shop.id("mug");

    // In time, and then once more.
    let order = external(&client, mug).await;
    let paid = at_sandbox(&client, &order, PRICE).await;
    let confirmed = name(&client, &order, &paid, PRICE).await.expect(200);
    assert_eq!(confirmed.body["status"], "CONFIRMED");
    let second = at_sandbox(&client, &order, PRICE).await;
    let refused = name(&client, &order, &second, PRICE).await;
    refused.expect_error(400, "INVALID_STATE");
    given_back(&client, &order, &second).await;
    assert_eq!(status(&client, &order, &paid).await, "paid");

    // With another amount.
    let order = external(&client, mug).await;
    let paid = at_sandbox(&client, &order, PRICE - 1).await;
    let refused = name(&client, &order, &paid, PRICE).await;
    refused.expect_error(402, "PAYMENT_MISMATCH");
    given_back(&client, &order, &paid).await;

    // Of another order: not found here, and left alone.
    let other = external(&client, mug).await;
    let theirs = at_sandbox(&client, &other, PRICE).await;
    let order = external(&client, mug).await;
    let refused = name(&client, &order, &theirs, PRICE).await;
    refused.expect_error(402, "PAYMENT_NOT_FOUND");
    let paid = at_sandbox(&client, &order, PRICE).await;
    name(&client, &order, &paid, PRICE).await.expect(200);
    name(&client, &other, &theirs, PRICE).await.expect(200);

    // Never, and after the deadline without a word.
    let order = external(&client, mug).await;
    eventually("the order has expired", async || {
        let order = client.order(&order).await;
        (order["failReason"] == "PAYMENT_EXPIRED")
            .then_some(())
            .ok_or(order)
    })
    .await;
    let paid = at_sandbox(&client, &order, PRICE).await;
    given_back(&client, &order, &paid).await;
    check::audit_is_clean(&system).await;
}

async fn sandbox(database: Database) -> System {
    let mut system = System::ground(database).await;
    hurry(&mut system);
    system.tell("ONHAND_SANDBOX_LATE_MS", "5000");
    system.tell("ONHAND_PAYMENT_DEADLINE_MS", "6000");
    system.add(Node::onhand(&system.world)).await;
    system
}

async fn at_sandbox(client: &Client, order: &str, amount: i64) -> String {
    let body = json!({"merchantUid": order, "amount": amount});
    let paid = client.post("/sandbox/payments", &body).await.expect(201);
    paid.text("impUid")
}

/// What the sandbox has under an order's id.
async fn of(client: &Client, order: &str) -> Vec<(String, i64)> {
    let payments = at(client, order).await;
    payments
        .iter()
        .map(|p| {
            let status = p["status"].as_str().unwrap().to_owned();
            (status, p["amount"].as_i64().unwrap())
        })
        .collect()
}

async fn status(client: &Client, order: &str, imp_uid: &str) -> String {
    let payments = at(client, order).await;
    let one = payments.iter().find(|p| p["impUid"] == imp_uid).unwrap();
    one["status"].as_str().unwrap().to_owned()
}

async fn given_back(client: &Client, order: &str, imp_uid: &str) {
    eventually("a payment is given back", async || {
        let status = status(client, order, imp_uid).await;
        (status == "cancelled").then_some(()).ok_or(status)
    })
    .await;
}

async fn at(client: &Client, order: &str) -> Vec<Value> {
    let path = format!("/sandbox/payments?merchantUid={order}");
    let mut found = client.get(&path).await.expect(200);
    std::mem::take(found.body["items"].as_array_mut().unwrap())
}
