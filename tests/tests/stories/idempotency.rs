//! The same key is the same thing, however often and whenever it comes.

use std::collections::BTreeSet;

use futures::future::join_all;
use onhand_tests::{Client, Database, System, check, shop};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn an_order_under_one_key_is_one_order() {
    orders(System::embedded().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_under_one_key_is_one_order_on_postgres() {
    orders(System::separate(Database::Postgres).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_stock_under_one_key_is_one_change() {
    stock(System::embedded().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_stock_under_one_key_is_one_change_on_postgres() {
    stock(System::separate(Database::Postgres).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_under_one_key_is_made_once() {
    let mut system = System::embedded().await;
    let client = system.client();
    let body = json!({"name": "mug", "price": 1, "stock": 5});
    let make = async |body: &Value| {
        let request = client.request(&Method::POST, "/products");
        request.key("make-1").json(body).answer().await
    };

    let at_once = join_all((0..10).map(|_| make(&body))).await;
    system.stop().await;
    system.start_again().await;
    let later = make(&body).await;

    let ids: BTreeSet<_> = at_once
        .into_iter()
        .chain([later])
        .map(|answer| answer.expect(201).text("id"))
        .collect();
    assert_eq!(ids.len(), 1);
    let other = make(&json!({"name": "mug", "price": 1, "stock": 6})).await;
    other.expect_error(422, "REQUEST_MISMATCH");
    let list = client.get("/products").await.expect(200);
    assert_eq!(list.body["total"], 1);
}

async fn orders(mut system: System) {
    let client = system.client();
    let shop = shop(&client).product("mug", 100).open().await;
    let mug = shop.id("mug");

    let at_once = join_all((0..20).map(|_| client.place_keyed("key-1", mug, 3))).await;
    let again = client.place_keyed("key-1", mug, 3).await;
    system.stop().await;
    system.start_again().await;
    let later = client.place_keyed("key-1", mug, 3).await;

    let ids: BTreeSet<_> = at_once
        .into_iter()
        .chain([again, later])
        .map(|answer| answer.expect(201).text("id"))
        .collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(client.orders_in("").await, 1);
    assert_eq!(shop.stock("mug").await, 97);

    let other_body = client.place_keyed("key-1", mug, 4).await;
    other_body.expect_error(422, "REQUEST_MISMATCH");
    let other_key = client.place_keyed("key-2", mug, 3).await.expect(201);
    assert!(!ids.contains(&other_key.text("id")));

    let refused = client.place_keyed("key-3", mug, 1_000).await;
    refused.expect_error(400, "INSUFFICIENT_STOCK");
    let repeated = client.place_keyed("key-3", mug, 1_000).await;
    repeated.expect_error(400, "INSUFFICIENT_STOCK");
    let id = |answer: &onhand_tests::Answer| answer.order().unwrap()["id"].clone();
    assert_eq!(id(&refused), id(&repeated));

    let first = ids.first().unwrap();
    client.cancel(first).await.expect(200);
    let cancelled = client.place_keyed("key-1", mug, 3).await;
    assert_eq!(cancelled.order().unwrap()["status"], "CANCELLED");
    assert_eq!(client.orders_in("").await, 3);
    check::audit_is_clean(&system).await;
}

async fn stock(mut system: System) {
    let client = system.client();
    let shop = shop(&client).product("mug", 10).open().await;
    let change = async |client: &Client, key: &str, delta: i64| {
        let path = format!("/products/{}/stock", shop.id("mug"));
        let body = json!({"delta": delta, "reason": "ADJUST"});
        client.patch(&path, key, &body).await
    };

    let at_once = join_all((0..10).map(|_| change(&client, "count-1", -4))).await;
    change(&client, "count-2", 1).await.expect(200);
    system.stop().await;
    system.start_again().await;
    let later = change(&client, "count-1", -4).await;

    for answer in at_once.into_iter().chain([later]) {
        let first = json!({"success": true, "remainingStock": 6, "message": "OK"});
        assert_eq!(answer.expect(200).body, first);
    }
    assert_eq!(shop.stock("mug").await, 7);
    let other_body = change(&client, "count-1", -5).await;
    other_body.expect_error(422, "REQUEST_MISMATCH");

    let refused = change(&client, "count-3", -8).await;
    refused.expect_error(400, "INSUFFICIENT_STOCK");
    change(&client, "count-4", 1).await.expect(200);
    let now_there = change(&client, "count-3", -8).await.expect(200);
    assert_eq!(now_there.body["remainingStock"], 0);

    by_an_order_system_outside(&client, shop.id("mug")).await;
    check::audit_is_clean(&system).await;
}

async fn by_an_order_system_outside(client: &Client, product: &str) {
    let path = |what: &str| format!("/products/{product}/stock/{what}-by-order");
    let body = |quantity: i64| json!({"orderId": "web:77", "quantity": quantity});
    let more = json!({"delta": 10, "reason": "MANUAL"});
    let restock = format!("/products/{product}/stock");
    assert_eq!(client.patch(&restock, "more", &more).await.status, 200);

    for _ in 0..2 {
        let taken = client
            .patch(&path("decrease"), "DEC-web:77", &body(3))
            .await;
        assert_eq!(taken.expect(200).body["remainingStock"], 7);
    }
    let other_body = client
        .patch(&path("decrease"), "DEC-web:77", &body(4))
        .await;
    other_body.expect_error(422, "REQUEST_MISMATCH");
    for _ in 0..2 {
        let back = client
            .patch(&path("increase"), "INC-web:77", &body(3))
            .await;
        assert_eq!(back.expect(200).body["remainingStock"], 10);
    }
    let late = json!({"orderId": "web:78", "quantity": 1});
    let released = client.patch(&path("increase"), "INC-web:78", &late).await;
    assert_eq!(released.expect(200).body["remainingStock"], 10);
    let refused = client.patch(&path("decrease"), "DEC-web:78", &late).await;
    assert_eq!(refused.status, 400, "{}", refused.body);
    assert_eq!(client.stock(product).await, 10);
}
