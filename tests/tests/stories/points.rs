//! Points: charged over HTTP, used and given back by orders' commands, on both databases.

use futures::future::join_all;
use onhand_tests::hand::{self, Ear, Hand};
use onhand_tests::{Client, Database, Node, System, check, eventually};
use reqwest::Method;
use serde_json::{Value, json};

const ORDER: &str = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
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
async fn an_order_uses_points_and_gives_them_back() {
    commands(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_uses_points_and_gives_them_back_on_postgres() {
    commands(Database::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_node_that_is_killed_takes_nothing_twice() {
    let (mut system, client, hand, mut replies) = point_alone(Database::Sqlite).await;
    let users: Vec<String> = (0..20).map(|n| format!("u-{n}")).collect();
    let charges = users.iter().map(|user| client.charge(user, "gift", 100));
    for answer in join_all(charges).await {
        answer.expect(200);
    }
    let orders: Vec<String> = (0..10).map(|n| format!("{}{n:03}", &ORDER[..33])).collect();
    let everything = async |hand: &Hand| {
        for user in &users {
            let uses: Vec<Value> = orders
                .iter()
                .map(|order| take_for(order, user, 9))
                .collect();
            hand.say(&hand::subject("cmd.point", user), &uses).await;
        }
    };

    everything(&hand).await;
    replies.envelope(&json!({"kind": "point.used"})).await;
    system.node("point-node").kill9();
    everything(&hand).await;
    system.node("point-node").start_again().await;

    for user in &users {
        eventually(
            "ten orders to have nine points each",
            async || match client.points(user).await {
                10 => Ok(()),
                left => Err(format!("{left} left")),
            },
        )
        .await;
        let ledger = client.points_ledger(user).await;
        assert_eq!(ledger.len(), 11, "{ledger:?}");
    }
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
        let answer = client.get(&format!("/users/u-001/points/ledger?{query}"));
        answer.await.expect_error(400, "VALIDATION_ERROR");
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

async fn commands(database: Database) {
    let (mut system, client, hand, mut replies) = point_alone(database).await;
    let mut events = hand.listen("event.point.*").await;
    let mut heard = async |kind: &str| replies.envelope(&json!({"kind": kind})).await;
    client.charge("u-001", "gift", 500).await.expect(200);

    // More than there is is refused, also to a user never seen, and not remembered.
    say(&hand, &[take("u-001", 501)]).await;
    let refused = heard("point.refused").await;
    let short = json!({"refusal": "INSUFFICIENT_POINTS", "available": 500, "requested": 501});
    assert_eq!(refused["body"], short);
    assert_eq!(refused["requestId"], format!("DEC-{ORDER}"));
    assert_eq!(refused["source"], "u-001");
    say(&hand, &[take("u-009", 1)]).await;
    assert_eq!(heard("point.refused").await["body"]["available"], 0);

    // A use that comes again takes once.
    say(&hand, &[take("u-001", 300), take("u-001", 300)]).await;
    let used = heard("point.used").await;
    assert_eq!(used["body"], json!({"amount": 300, "balance": 200}));
    assert_eq!(heard("point.used").await["body"], used["body"]);
    say(&hand, &[take("u-001", 299)]).await;
    assert_eq!(
        heard("point.refused").await["body"]["refusal"],
        "REQUEST_MISMATCH"
    );
    assert_eq!(client.points("u-001").await, 200);

    // Another amount gives nothing back; the same gives it back once, also after a restart.
    say(&hand, &[refund("u-001", 299)]).await;
    assert_eq!(
        heard("point.refused").await["body"]["refusal"],
        "REQUEST_MISMATCH"
    );
    say(&hand, &[refund("u-001", 300)]).await;
    let back = heard("point.refunded").await;
    assert_eq!(back["body"], json!({"amount": 300, "balance": 500}));
    system.stop().await;
    system.start_again().await;
    say(&hand, &[refund("u-001", 300), take("u-001", 300)]).await;
    assert_eq!(heard("point.refunded").await["body"], back["body"]);
    assert_eq!(heard("point.used").await["body"], used["body"]);
    assert_eq!(client.points("u-001").await, 500);

    // A refund that comes first keeps the use away, of a user never seen too.
    say(&hand, &[refund("u-002", 300)]).await;
    let nothing = heard("point.refunded").await;
    assert_eq!(nothing["body"], json!({"amount": 0, "balance": 0}));
    client.charge("u-002", "gift", 500).await.expect(200);
    say(&hand, &[take("u-002", 300)]).await;
    assert_eq!(
        heard("point.refused").await["body"]["refusal"],
        "ALREADY_RELEASED"
    );
    assert_eq!(client.points("u-002").await, 500);

    let told = async |events: &mut Ear, subject: &str| {
        let event = events.message(subject, |message| message.subject.as_str() == subject);
        let event = hand::unpack(&event.await.payload).expect("an event is MessagePack");
        assert_eq!(event["entity"], "u-001");
        event["body"].clone()
    };
    let moved = |request: &str, balance: i64| {
        json!({
            "userId": "u-001", "orderId": ORDER, "requestId": format!("{request}-{ORDER}"),
            "amount": 300, "balance": balance,
        })
    };
    assert_eq!(
        told(&mut events, "event.point.used").await,
        moved("DEC", 200)
    );
    assert_eq!(
        told(&mut events, "event.point.refunded").await,
        moved("INC", 500)
    );
    let ledger = client.points_ledger("u-001").await;
    let rows: Vec<String> = ledger
        .iter()
        .map(|row| format!("{} {} {}", row["direction"], row["amount"], row["reason"]))
        .collect();
    let expected = [
        r#""IN" 300 "ORDER_CANCEL""#,
        r#""OUT" 300 "ORDER""#,
        r#""IN" 500 "CHARGE""#,
    ];
    assert_eq!(rows, expected);
    assert_eq!(ledger[0]["orderId"], ORDER);
    assert_eq!(ledger[0]["requestId"], format!("INC-{ORDER}"));
}

/// A point-node, and who hears what it answers to orders.
async fn point_alone(database: Database) -> (System, Client, Hand, Ear) {
    let mut system = System::ground(database).await;
    system.add(Node::point(&system.world)).await;
    let hand = Hand::new(system.nats().connect().await);
    let replies = hand.listen("reply.order.*").await;
    let client = system.client();
    (system, client, hand, replies)
}

async fn say(hand: &Hand, commands: &[Value]) {
    let user = commands[0]["entity"]
        .as_str()
        .expect("a command is for somebody");
    hand.say(&hand::subject("cmd.point", user), commands).await;
}

fn take(user: &str, amount: i64) -> Value {
    take_for(ORDER, user, amount)
}

fn take_for(order: &str, user: &str, amount: i64) -> Value {
    command("point.use", &format!("DEC-{order}"), order, user, amount)
}

fn refund(user: &str, amount: i64) -> Value {
    command("point.refund", &format!("INC-{ORDER}"), ORDER, user, amount)
}

fn command(kind: &str, request: &str, order: &str, user: &str, amount: i64) -> Value {
    let mut command = hand::command(kind, user, request, order, 0);
    command["body"] = json!({"orderId": order, "amount": amount});
    command
}
