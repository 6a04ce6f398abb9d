//! Money: taken once for an order that is confirmed, and for nothing else.

use std::time::Duration;

use onhand_tests::gateway::{Fault, Gateway, KEY, SECRET};
use onhand_tests::{Answer, Client, Database, Node, System, check, eventually, shop};
use serde_json::{Value, json};

const PRICE: i64 = onhand_tests::shop::PRICE;

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

#[tokio::test]
async fn a_gateway_that_times_out_after_it_has_charged_has_charged_once() {
    let (system, gateway) = portone().await;
    let client = system.client();
    let shop = shop(&client).product("mug", 100).open().await;
    for fault in [Fault::SilentAfter, Fault::ErrorAfter] {
        gateway.fail(&[fault]);
        let order = pay(&client, shop.id("mug"), "card").await.expect(201);
        assert_eq!(order.body["status"], "CONFIRMED", "{fault:?}");
        assert_eq!(gateway.statuses(&order.text("id")), ["paid"]);
    }
    // Access that the gateway takes no longer is asked for anew.
    gateway.forget_access();
    let order = pay(&client, shop.id("mug"), "card").await.expect(201);
    assert_eq!(gateway.has(), 3 * PRICE);
    client.cancel(&order.text("id")).await.expect(200);
    assert_eq!(gateway.has(), 2 * PRICE);
    let refused = pay(&client, shop.id("mug"), "another-card").await;
    refused.expect_error(402, "PAYMENT_DECLINED");
    check::audit_is_clean(&system).await;
}

#[tokio::test]
async fn a_charge_that_comes_when_the_order_was_given_up_is_given_back() {
    let (system, gateway) = portone().await;
    let client = system.client();
    let shop = shop(&client).product("mug", 100).open().await;
    let later = Fault::TakesLater(Duration::from_secs(5));
    gateway.fail(&[later, Fault::SilentBefore, Fault::SilentBefore]);
    gateway.fail(&[Fault::SilentBefore; 20]);
    let given_up = pay(&client, shop.id("mug"), "card").await;
    given_up.expect_error(424, "DEPENDENCY_FAILED");
    let order = failed(&given_up)["id"].as_str().unwrap().to_owned();
    eventually("it is charged, and given back", async || {
        let statuses = gateway.statuses(&order);
        (statuses == ["cancelled"])
            .then_some(())
            .ok_or_else(|| format!("{statuses:?}"))
    })
    .await;
    assert_eq!(gateway.has(), 0);
    check::audit_is_clean(&system).await;
}

#[tokio::test]
async fn a_gateway_that_is_down_for_a_while_has_charged_nobody_for_nothing() {
    let (system, gateway) = portone().await;
    let client = system.client();
    let shop = shop(&client).product("mug", 100).open().await;
    gateway.set_down(true);
    let orders: Vec<_> = (0..5)
        .map(|_| pay(&client, shop.id("mug"), "card"))
        .collect();
    for order in futures::future::join_all(orders).await {
        order.expect_error(424, "DEPENDENCY_FAILED");
    }
    gateway.set_down(false);
    pay(&client, shop.id("mug"), "card").await.expect(201);
    // An order is told to be given up before its payment is closed: it may be charged still, and is
    // given back.
    eventually("the gateway to have what is due", async || {
        let has = gateway.has();
        (has == PRICE).then_some(()).ok_or(has)
    })
    .await;
    check::audit_is_clean(&system).await;
}

#[tokio::test]
async fn a_gateway_that_gives_nothing_back_leaves_the_order_confirmed() {
    let (system, gateway) = portone().await;
    let client = system.client();
    let shop = shop(&client).product("mug", 100).open().await;
    let order = pay(&client, shop.id("mug"), "card").await.expect(201);
    let order = order.text("id");
    gateway.keep_everything();
    let refused = client.cancel(&order).await;
    refused.expect_error(402, "PAYMENT_DECLINED");
    let order = client.order(&order).await;
    assert_eq!(
        (&order["status"], &order["cancelling"]),
        (&json!("CONFIRMED"), &json!(false))
    );
    assert_eq!(client.stock(shop.id("mug")).await, 99);
    assert_eq!(gateway.has(), PRICE);
    check::audit_is_clean(&system).await;
}

#[tokio::test]
async fn a_payment_made_outside_at_the_gateway_pays_and_any_other_is_given_back() {
    let (mut system, gateway) = portone().await;
    let node = system.node("onhand");
    node.stop().await;
    node.set("ONHAND_LOG", "debug");
    node.start_again().await;
    let client = system.client();
    let shop = shop(&client).product("mug", 100).open().await;
    let mug = shop.id("mug");
    let has = async |amount| {
        eventually("the gateway to have what is due", async || {
            let has = gateway.has();
            (has == amount).then_some(()).ok_or(has)
        })
        .await;
    };

    let order = external(&client, mug).await;
    let unknown = name(&client, &order, "imp_nobody", PRICE).await;
    unknown.expect_error(402, "PAYMENT_NOT_FOUND");
    let paid = gateway.pay(&order, PRICE);
    let confirmed = name(&client, &order, &paid, PRICE).await.expect(200);
    assert_eq!(confirmed.body["status"], "CONFIRMED");
    let twice = gateway.pay(&order, PRICE);
    let refused = name(&client, &order, &twice, PRICE).await;
    refused.expect_error(400, "INVALID_STATE");
    has(PRICE).await;
    client.cancel(&order).await.expect(200);
    has(0).await;

    let order = external(&client, mug).await;
    let less = gateway.pay(&order, PRICE - 1);
    let refused = name(&client, &order, &less, PRICE - 1).await;
    refused.expect_error(402, "PAYMENT_MISMATCH");
    has(0).await;
    eventually("every mug to be back", async || {
        match client.stock(mug).await {
            100 => Ok(()),
            left => Err(left),
        }
    })
    .await;
    check::audit_is_clean(&system).await;
    let log = system.node("onhand").log();
    assert!(
        log.contains("DEBUG"),
        "what is asked of the gateway is logged"
    );
    assert!(!log.contains(SECRET), "the secret is in the log");
}

#[tokio::test]
async fn all_that_was_paid_for_an_order_that_expires_is_given_back() {
    let (mut system, gateway) = portone().await;
    let node = system.node("onhand");
    node.stop().await;
    node.set("ONHAND_PAYMENT_DEADLINE_MS", "1000");
    node.start_again().await;
    let client = system.client();
    let shop = shop(&client).product("mug", 100).open().await;
    let order = external(&client, shop.id("mug")).await;
    for _ in 0..3 {
        gateway.pay(&order, PRICE);
    }
    eventually("everything to be given back", async || {
        let statuses = gateway.statuses(&order);
        (statuses == ["cancelled"; 3])
            .then_some(())
            .ok_or_else(|| format!("{statuses:?}"))
    })
    .await;
    assert_eq!(client.order(&order).await["failReason"], "PAYMENT_EXPIRED");
    check::audit_is_clean(&system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_while_the_gateway_is_asked_charges_for_what_is_confirmed() {
    for fault in [Fault::SilentAfter, Fault::SilentBefore] {
        let (mut system, gateway) = portone().await;
        let client = system.client();
        let shop = shop(&client).product("mug", 100).open().await;
        gateway.fail(&[fault]);
        let asking = {
            let (client, mug) = (client.clone(), shop.id("mug").to_owned());
            tokio::spawn(async move {
                let request = client.request(&reqwest::Method::POST, "/orders");
                request.json(&order(&mug, "card")).try_answer().await
            })
        };
        eventually("the gateway is asked", async || {
            let asked = gateway.asked();
            (asked > 0).then_some(()).ok_or(asked)
        })
        .await;
        let node = system.node("onhand");
        node.kill9();
        node.start_again().await;
        let _gone = asking.await;

        eventually("the order is at rest", async || {
            let pending = client.orders_in("PENDING").await;
            (pending == 0).then_some(()).ok_or(pending)
        })
        .await;
        let confirmed = i64::try_from(client.orders_in("CONFIRMED").await).unwrap();
        eventually("the gateway has what was confirmed", async || {
            let has = gateway.has();
            (has == confirmed * PRICE).then_some(()).ok_or(has)
        })
        .await;
        check::audit_is_clean(&system).await;
    }
}

async fn sandbox(database: Database) -> System {
    let mut system = System::ground(database).await;
    hurry(&mut system);
    system.tell("ONHAND_SANDBOX_LATE_MS", "5000");
    system.tell("ONHAND_PAYMENT_DEADLINE_MS", "6000");
    system.add(Node::onhand(&system.world)).await;
    system
}

async fn portone() -> (System, Gateway) {
    let gateway = Gateway::start().await;
    let mut system = System::ground(Database::Sqlite).await;
    hurry(&mut system);
    system.tell("ONHAND_PAYMENT_GATEWAY", "portone");
    system.tell("ONHAND_PORTONE_URL", &gateway.url());
    system.tell("ONHAND_PORTONE_KEY", KEY);
    system.tell("ONHAND_PORTONE_SECRET", SECRET);
    system.add(Node::onhand(&system.world)).await;
    (system, gateway)
}

/// Shorter times than a person is given.
fn hurry(system: &mut System) {
    system.tell("ONHAND_ORDER_DEADLINE_MS", "4000");
    system.tell("ONHAND_PAYMENT_GATEWAY_WAIT_MS", "700");
    system.tell("ONHAND_PAYMENT_GRACE_MS", "20000");
    system.tell("ONHAND_RESEND_MAX_MS", "1000");
}

fn order(product: &str, token: &str) -> Value {
    json!({
        "buyerId": "u-001",
        "items": [{"productId": product, "quantity": 1}],
        "payment": {"method": "card", "token": token},
    })
}

async fn pay(client: &Client, product: &str, token: &str) -> Answer {
    client.post("/orders", &order(product, token)).await
}

/// An order that waits to be paid outside.
async fn external(client: &Client, product: &str) -> String {
    let body = json!({
        "buyerId": "u-001",
        "items": [{"productId": product, "quantity": 1}],
        "payment": {"method": "external"},
    });
    let order = client.post("/orders", &body).await.expect(202);
    assert_eq!(order.body["amountDue"], PRICE, "{}", order.body);
    order.text("id")
}

async fn at_sandbox(client: &Client, order: &str, amount: i64) -> String {
    let body = json!({"merchantUid": order, "amount": amount});
    let paid = client.post("/sandbox/payments", &body).await.expect(201);
    paid.text("impUid")
}

/// Names a payment that was made outside.
async fn name(client: &Client, order: &str, imp_uid: &str, price: i64) -> Answer {
    let path = format!("/orders/{order}/payment");
    let body = json!({"impUid": imp_uid, "price": price});
    client.post(&path, &body).await
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

/// The order that a refusal tells of.
fn failed(answer: &Answer) -> &Value {
    answer.order().unwrap_or_else(|| panic!("{}", answer.body))
}
