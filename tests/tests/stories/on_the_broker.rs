//! Messages that come twice, late, or in the wrong order, on the real broker.
//!
//! A hand plays the order's part with a product-node, and the product's part with an order-node.

use onhand_tests::client::order_of;
use onhand_tests::hand::{self, Ear, Hand};
use onhand_tests::{Client, Database, Node, Shop, System, eventually, shop};
use reqwest::Method;
use serde_json::{Value, json};

const ORDER: &str = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";

#[tokio::test(flavor = "multi_thread")]
async fn a_reserve_after_its_release_takes_nothing() {
    let (_system, shop, hand, mut replies) = product_alone().await;
    let mug = shop.id("mug");

    say(&hand, &[release(mug, 3)]).await;
    let released = replies.envelope(&json!({"kind": "product.released"})).await;
    say(&hand, &[reserve(mug, 3)]).await;
    let refused = replies.envelope(&json!({"kind": "product.refused"})).await;

    assert_eq!(released["body"]["quantity"], 0);
    assert_eq!(released["requestId"], format!("INC-{ORDER}"));
    assert_eq!(refused["requestId"], format!("DEC-{ORDER}"));
    assert_eq!(refused["source"], mug);
    assert_eq!(shop.stock("mug").await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reserve_that_comes_again_takes_once_and_is_answered_alike() {
    come_again(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reserve_that_comes_again_takes_once_and_is_answered_alike_on_postgres() {
    come_again(Database::Postgres).await;
}

async fn come_again(database: Database) {
    let (mut system, shop, hand, mut replies) = product_alone_on(database).await;
    let mug = shop.id("mug");
    let like = json!({"kind": "product.reserved", "requestId": format!("DEC-{ORDER}")});

    say(&hand, &[reserve(mug, 3), reserve(mug, 3)]).await;
    let first = replies.envelope(&like).await;
    say(&hand, &[reserve(mug, 3)]).await;
    let again = replies.envelope(&like).await;
    system.stop().await;
    system.start_again().await;
    say(&hand, &[reserve(mug, 3)]).await;
    let later = replies.envelope(&like).await;

    assert_eq!(first["body"]["remaining"], 7);
    assert_eq!(first["body"]["name"], "mug");
    assert_eq!(again["body"], first["body"]);
    assert_eq!(later["body"], first["body"]);
    assert_eq!(shop.stock("mug").await, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_with_another_body_is_refused() {
    let (_system, shop, hand, mut replies) = product_alone().await;
    let mug = shop.id("mug");

    say(&hand, &[reserve(mug, 3)]).await;
    replies.envelope(&json!({"kind": "product.reserved"})).await;
    say(&hand, &[reserve(mug, 4)]).await;
    let other_reserve = replies.envelope(&json!({"kind": "product.refused"})).await;
    say(&hand, &[release(mug, 2)]).await;
    let other_release = replies.envelope(&json!({"kind": "product.refused"})).await;

    assert_eq!(other_reserve["body"]["refusal"], "REQUEST_MISMATCH");
    assert_eq!(other_release["body"]["refusal"], "REQUEST_MISMATCH");
    assert_eq!(shop.stock("mug").await, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_comes_again_gives_back_once() {
    let (_system, shop, hand, mut replies) = product_alone().await;
    let mug = shop.id("mug");

    say(&hand, &[reserve(mug, 3), release(mug, 3), release(mug, 3)]).await;
    let released = replies.envelope(&json!({"kind": "product.released"})).await;
    say(&hand, &[release(mug, 3)]).await;
    let again = replies.envelope(&json!({"kind": "product.released"})).await;

    assert_eq!(released["body"]["quantity"], 3);
    assert_eq!(again["body"], released["body"]);
    assert_eq!(shop.stock("mug").await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_comes_twice_confirms_once() {
    let (system, shop, hand, mut commands) = order_alone("5000").await;
    let client = system.client();
    let mut events = hand.listen("event.order.confirmed").await;
    let (order, command) = placed(&client, &shop, &mut commands).await;

    let accepted = reserved(&command);
    answer(&hand, &order, &[accepted.clone(), accepted.clone()]).await;
    becomes(&client, &order, "CONFIRMED").await;
    answer(&hand, &order, &[accepted]).await;

    let told = events.message("the event", |_| true).await;
    let event = hand::unpack(&told.payload).expect("an event is MessagePack");
    assert_eq!(event["entity"], order.as_str());
    assert_eq!(commands.count(&json!({"kind": "product.release"})).await, 0);
    let now = client.order(&order).await;
    assert_eq!(
        (&now["status"], &now["subtotal"]),
        (&json!("CONFIRMED"), &json!(30))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_to_a_confirmed_order_changes_nothing() {
    let (system, shop, hand, mut commands) = order_alone("5000").await;
    let client = system.client();
    let (order, command) = placed(&client, &shop, &mut commands).await;
    answer(&hand, &order, &[reserved(&command)]).await;
    becomes(&client, &order, "CONFIRMED").await;

    let no = json!({"refusal": "INSUFFICIENT_STOCK", "available": 0, "requested": 3});
    let refused = hand::reply("product.refused", &command, &no);
    answer(&hand, &order, &[refused]).await;

    assert_eq!(commands.count(&json!({"kind": "product.release"})).await, 0);
    assert_eq!(client.order(&order).await["status"], "CONFIRMED");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acceptance_that_comes_too_late_is_given_back() {
    let (system, shop, hand, mut commands) = order_alone("5000").await;
    let client = system.client();
    let release = json!({"kind": "product.release"});
    let (order, command) = placed(&client, &shop, &mut commands).await;
    let no = json!({"refusal": "INSUFFICIENT_STOCK", "available": 0, "requested": 3});
    let refused = hand::reply("product.refused", &command, &no);
    answer(&hand, &order, &[refused]).await;
    becomes(&client, &order, "FAILED").await;

    // A copy of the command was accepted after a restock.
    answer(&hand, &order, &[reserved(&command)]).await;

    let undo = commands.envelope(&release).await;
    assert_eq!(undo["requestId"], format!("INC-{order}"));
    assert_eq!(undo["body"]["quantity"], 3);
    assert_eq!(
        client.order(&order).await["failReason"],
        "INSUFFICIENT_STOCK"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_not_answered_takes_back_what_it_asked_for_until_that_is_known() {
    let (system, shop, hand, mut commands) = order_alone("500").await;
    let client = system.client();
    let release = json!({"kind": "product.release"});
    let (order, command) = placed(&client, &shop, &mut commands).await;

    let undo = commands.envelope(&release).await;
    assert_eq!(undo["requestId"], format!("INC-{order}"));
    assert_eq!(undo["body"]["quantity"], 3);
    becomes(&client, &order, "FAILED").await;
    let nothing = json!({"quantity": 0, "remaining": 10});
    answer(
        &hand,
        &order,
        &[hand::reply("product.released", &undo, &nothing)],
    )
    .await;
    eventually("silence", async || {
        let mut ear = hand.listen("cmd.product.*").await;
        match ear.count(&release).await {
            0 => Ok(()),
            resent => Err(format!("resent {resent} times")),
        }
    })
    .await;

    // What was given back once is closed at its owner: a late acceptance can only be an old copy.
    let mut commands = hand.listen("cmd.product.*").await;
    answer(&hand, &order, &[reserved(&command)]).await;
    assert_eq!(commands.count(&release).await, 0);
    assert_eq!(
        client.order(&order).await["failReason"],
        "DEPENDENCY_FAILED"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_travels_has_the_documented_headers() {
    let (system, shop, hand, mut commands) = order_alone("5000").await;
    let place = system.client().request(&Method::POST, "/orders");
    let body = order_of(&[(shop.id("mug"), 3)]);
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let place = place.header("prefer", "respond-async");
    let answer = place
        .header("traceparent", trace)
        .json(&body)
        .answer()
        .await;
    let order = answer.expect(202).text("id");

    let command = commands.message("a command", |_| true).await;

    assert_eq!(
        command.subject.as_str(),
        hand::subject("cmd.product", shop.id("mug"))
    );
    let headers = command.headers.as_ref().expect("a command has headers");
    let header = |name: &str| headers.get(name).map(ToString::to_string);
    assert_eq!(
        header("Content-Type").as_deref(),
        Some("application/msgpack")
    );
    let id = format!("DEC-{order}/{}", shop.id("mug"));
    assert_eq!(header("Nats-Msg-Id"), Some(id));
    let envelope = hand::envelopes(&command).remove(0);
    let traced = envelope["traceparent"].as_str().unwrap_or_default();
    assert!(traced.starts_with(&trace[..35]), "{envelope}");
    assert_eq!(envelope["replyTo"], hand::subject("reply.order", &order));
    assert_eq!(envelope["origin"], "saga");
    drop(hand);
}

/// A product-node with ten mugs, and who hears what it answers to orders.
async fn product_alone() -> (System, Shop, Hand, Ear) {
    product_alone_on(Database::Sqlite).await
}

async fn product_alone_on(database: Database) -> (System, Shop, Hand, Ear) {
    let mut system = System::ground(database).await;
    system.add(Node::product(&system.world)).await;
    let shop = shop(&system.client()).product("mug", 10).open().await;
    let hand = Hand::new(system.nats().connect().await);
    let replies = hand.listen("reply.order.*").await;
    (system, shop, hand, replies)
}

/// An order-node without anybody to ask, and who hears what it asks.
async fn order_alone(deadline_ms: &str) -> (System, Shop, Hand, Ear) {
    let mut system = System::separate(Database::Sqlite).await;
    let shop = shop(&system.client()).product("mug", 10).open().await;
    system.node("product-node").stop().await;
    let order = system.node("order-node");
    order.stop().await;
    order.set("ONHAND_ORDER_DEADLINE_MS", deadline_ms);
    order.start_again().await;
    let hand = Hand::new(system.nats().connect().await);
    let commands = hand.listen("cmd.product.*").await;
    (system, shop, hand, commands)
}

/// An order of three mugs that waits for an answer, and the command that it waits on.
async fn placed(client: &Client, shop: &Shop, commands: &mut Ear) -> (String, Value) {
    let place = client.request(&Method::POST, "/orders");
    let body = order_of(&[(shop.id("mug"), 3)]);
    let place = place.header("prefer", "respond-async").json(&body);
    let order = place.answer().await.expect(202).text("id");
    let request = format!("DEC-{order}");
    let like = json!({"kind": "product.reserve", "requestId": request});
    let command = commands.envelope(&like).await;
    (order, command)
}

fn reserved(command: &Value) -> Value {
    let body = json!({"name": "mug", "unitPrice": 10, "quantity": 3, "remaining": 7});
    hand::reply("product.reserved", command, &body)
}

async fn say(hand: &Hand, commands: &[Value]) {
    let product = commands[0]["entity"]
        .as_str()
        .expect("a command is for somebody");
    hand.say(&hand::subject("cmd.product", product), commands)
        .await;
}

async fn answer(hand: &Hand, order: &str, replies: &[Value]) {
    hand.say(&hand::subject("reply.order", order), replies)
        .await;
}

async fn becomes(client: &Client, order: &str, status: &str) {
    eventually("the order to get on", async || {
        let now = client.order(order).await;
        (now["status"] == status).then_some(()).ok_or(now)
    })
    .await;
}

fn reserve(product: &str, quantity: i64) -> Value {
    let request = format!("DEC-{ORDER}");
    hand::command("product.reserve", product, &request, ORDER, quantity)
}

fn release(product: &str, quantity: i64) -> Value {
    let request = format!("INC-{ORDER}");
    hand::command("product.release", product, &request, ORDER, quantity)
}
