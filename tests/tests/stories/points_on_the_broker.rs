//! Points on the real broker, used and given back: commands that come twice, late, or in the wrong
//! order, on both databases. A hand plays the order's part with a point-node.

use futures::future::join_all;
use onhand_tests::hand::{self, Ear, Hand};
use onhand_tests::{Client, Database, Node, System, eventually};
use serde_json::{Value, json};

const ORDER: &str = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";

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
            let commands: Vec<Value> = orders
                .iter()
                .map(|order| take_for(order, user, 9))
                .collect();
            hand.say(&hand::subject("cmd.point", user), &commands).await;
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
    say(&hand, &[take("u-001", 300)]).await;
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
    say(&hand, &[refund("u-001", 300)]).await;
    assert_eq!(heard("point.refunded").await["body"], back["body"]);
    say(&hand, &[take("u-001", 300)]).await;
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
