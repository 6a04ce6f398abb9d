//! Points over HTTP: charged once a key, read, and what is refused.

use futures::future::join_all;
use onhand_tests::{Database, System, check};
use reqwest::Method;
use serde_json::{Value, json};

/// The most that a wallet can be charged up to.
const BALANCE_MAX: i64 = 1_000_000_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn points_are_charged_once_a_key() {
    charges(System::embedded().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn points_are_charged_once_a_key_on_postgres() {
    charges(System::separate(Database::Postgres).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_for_points_that_make_no_sense_are_refused() {
    let system = System::embedded().await;
    let client = system.client();
    let path = "/users/u-001/points/charge";
    let charge = |path: &str| client.request(&Method::POST, path);
    for body in [
        json!({"amount": 0}),
        json!({"amount": -1}),
        json!({"amount": 1.5}),
        json!({"amount": "1"}),
        json!({"amount": null}),
        json!({"amount": 1e30}),
        json!({"amount": u64::MAX}),
        json!({"amount": BALANCE_MAX + 1}),
        json!({"amuont": 1}),
        json!({"amount": 1, "why": "gift"}),
        json!({}),
        json!([]),
        json!(null),
    ] {
        let answer = charge(path).key("key").json(&body).answer().await;
        assert_eq!(answer.status, 400, "{body} was answered {}", answer.body);
        answer.expect_error(400, "VALIDATION_ERROR");
        assert!(
            answer.body["message"]
                .as_str()
                .is_some_and(|said| !said.is_empty())
        );
    }
    let body = json!({"amount": 1});
    let without_key = charge(path).json(&body).answer().await;
    without_key.expect_error(400, "VALIDATION_ERROR");
    let named = &without_key.body["details"]["fields"];
    assert!(named["Idempotency-Key"].is_string(), "{named}");
    for key in ["", "two words", "schlüssel", &"k".repeat(129)] {
        let answer = charge(path).key(key).json(&body).answer().await;
        answer.expect_error(400, "VALIDATION_ERROR");
    }
    for user in ["u%201", "%C3%A4", "u%2F1", &"u".repeat(65)] {
        let path = format!("/users/{user}/points");
        let read = client.get(&path).await;
        read.expect_error(400, "VALIDATION_ERROR");
        let named = &read.body["details"]["fields"];
        assert!(named["userId"].is_string(), "{named}");
        let answer = charge(&format!("{path}/charge")).key("key").json(&body);
        answer.answer().await.expect_error(400, "VALIDATION_ERROR");
        let ledger = client.get(&format!("{path}/ledger")).await;
        ledger.expect_error(400, "VALIDATION_ERROR");
    }
    for query in ["cursor=7", "cursor=", "curser=v7", "page=1"] {
        let path = format!("/users/u-001/points/ledger?{query}");
        let answer = client.get(&path).await;
        answer.expect_error(400, "VALIDATION_ERROR");
    }
    let text = charge(path).key("key").bytes("text/plain", b"{}".to_vec());
    text.answer()
        .await
        .expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
    let read = client.get(path).await;
    read.expect_error(405, "METHOD_NOT_ALLOWED");
    assert_eq!(client.points("u-001").await, 0);
    client.charge("u-001", "key", 1).await.expect(200);
}

async fn charges(mut system: System) {
    let client = system.client();
    assert_eq!(client.points("u-001").await, 0, "a user never seen");
    assert!(client.points_ledger("u-001").await.is_empty());

    let at_once = join_all((0..10).map(|_| client.charge("u-001", "gift-1", 500))).await;
    client.charge("u-001", "gift-2", 70).await.expect(200);
    client.charge("u-002", "gift-1", 30).await.expect(200);
    system.stop().await;
    system.start_again().await;
    let later = client.charge("u-001", "gift-1", 500).await;

    for answer in at_once.into_iter().chain([later]) {
        let first = json!({"userId": "u-001", "balance": 500});
        assert_eq!(answer.expect(200).body, first);
    }
    assert_eq!(client.points("u-001").await, 570);
    assert_eq!(client.points("u-002").await, 30);
    let other_body = client.charge("u-001", "gift-1", 501).await;
    other_body.expect_error(422, "REQUEST_MISMATCH");

    let full = client.charge("u-001", "gift-3", BALANCE_MAX).await;
    full.expect_error(400, "VALIDATION_ERROR");
    let fits = client.charge("u-001", "gift-4", BALANCE_MAX - 570).await;
    assert_eq!(fits.expect(200).body["balance"], BALANCE_MAX);
    let over = client.charge("u-001", "gift-5", 1).await;
    over.expect_error(400, "VALIDATION_ERROR");
    assert_eq!(client.points("u-001").await, BALANCE_MAX);

    let keys: Vec<String> = (0..205).map(|n| format!("small-{n}")).collect();
    for answer in join_all(keys.iter().map(|key| client.charge("u-003", key, 2))).await {
        answer.expect(200);
    }
    let ledger = client.points_ledger("u-003").await;
    let balances: Vec<_> = ledger.iter().map(|row| row["balance"].as_i64()).collect();
    let expected: Vec<_> = (1..=205).rev().map(|n| Some(2 * n)).collect();
    assert_eq!(balances, expected, "newest first, none twice, none missing");
    let row = &ledger[0];
    assert_eq!(row["direction"], "IN");
    assert_eq!(
        (&row["amount"], &row["reason"]),
        (&json!(2), &json!("CHARGE"))
    );
    assert_eq!(row["orderId"], Value::Null);
    assert!(
        row["createdAt"]
            .as_str()
            .is_some_and(|at| at.ends_with('Z'))
    );
    check::audit_is_clean(&system).await;
}
