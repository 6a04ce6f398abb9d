//! Money through `PortOne`, played by a stand-in with faults: taken once for an order that is
//! confirmed, and for nothing else.

use std::time::Duration;

use onhand_tests::gateway::{Fault, Gateway, KEY, SECRET};
use onhand_tests::{Database, Node, System, check, eventually, shop};
use serde_json::json;

use crate::paying::{PRICE, external, failed, hurry, name, order, pay};

#[tokio::test]
async fn a_gateway_that_times_out_after_it_has_charged_has_charged_once() {
    let (system, gateway) = portone(&[]).await;
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
    let (system, gateway) = portone(&[]).await;
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
    let (system, gateway) = portone(&[]).await;
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
    let (system, gateway) = portone(&[]).await;
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
    let (mut system, gateway) = portone(&[("ONHAND_LOG", "debug")]).await;
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
    let (system, gateway) = portone(&[("ONHAND_PAYMENT_DEADLINE_MS", "1000")]).await;
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
        let (mut system, gateway) = portone(&[]).await;
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

/// A system whose gateway is a stand-in for `PortOne`, told some settings besides.
async fn portone(settings: &[(&str, &str)]) -> (System, Gateway) {
    let gateway = Gateway::start().await;
    let mut system = System::ground(Database::Sqlite).await;
    hurry(&mut system);
    system.tell("ONHAND_PAYMENT_GATEWAY", "portone");
    system.tell("ONHAND_PORTONE_URL", &gateway.url());
    system.tell("ONHAND_PORTONE_KEY", KEY);
    system.tell("ONHAND_PORTONE_SECRET", SECRET);
    for (name, value) in settings {
        system.tell(name, value);
    }
    system.add(Node::onhand(&system.world)).await;
    (system, gateway)
}
