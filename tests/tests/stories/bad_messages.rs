//! What no service would say on the broker becomes a dead letter, and hinders nobody.

use onhand_tests::hand::{self, Ear, Hand};
use onhand_tests::{Database, Shop, System, check, shop};
use serde_json::{Value, json};

const NOBODY: &str = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_messagepack_are_put_aside() {
    let (system, shop, hand) = ground().await;
    let subject = hand::subject("cmd.product", shop.id("mug"));
    for bytes in [&b"\xc1"[..], b"", b"plain text", b"\x92\x81\xa1v\x01"] {
        put_aside(&system, &hand, &subject, bytes.to_vec()).await;
    }
    the_line_moves_on(&system, &shop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn envelopes_that_nobody_understands_are_put_aside() {
    let (system, shop, hand) = ground().await;
    let mug = shop.id("mug");
    let subject = hand::subject("cmd.product", mug);
    let good = reserve(mug, NOBODY, 1);
    let mut bad = vec![
        changed(&good, "kind", json!("product.paint")),
        changed(&good, "kind", json!(7)),
        changed(&good, "v", json!(99)),
        changed(&good, "origin", json!("nobody")),
        changed(&good, "replyTo", json!("somewhere.else")),
        changed(&good, "body", json!({"orderId": NOBODY})),
        changed(&good, "body", json!({"orderId": NOBODY, "quantity": -1})),
        changed(&good, "body", json!({"orderId": NOBODY, "quantity": "1"})),
        json!("no envelope at all"),
    ];
    for field in ["v", "kind", "requestId", "entity", "origin", "at", "body"] {
        let mut without = good.clone();
        without.as_object_mut().unwrap().remove(field);
        bad.push(without);
    }
    for envelope in bad {
        let bytes = hand::pack(&json!([envelope]));
        put_aside(&system, &hand, &subject, bytes).await;
    }
    the_line_moves_on(&system, &shop).await;
    assert_eq!(shop.stock("mug").await, 99);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_in_a_partition_that_is_not_its_own_is_put_aside() {
    let (system, shop, hand) = ground().await;
    let mug = shop.id("mug");
    let elsewhere = (hand::partition(mug) + 1) % hand::PARTITIONS;
    let command = reserve(mug, NOBODY, 1);
    let bytes = hand::pack(&json!([command]));

    put_aside(&system, &hand, &format!("cmd.product.{elsewhere}"), bytes).await;

    the_line_moves_on(&system, &shop).await;
    assert_eq!(shop.stock("mug").await, 99);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_envelope_among_good_ones_hinders_none_of_them() {
    let (_system, shop, hand) = ground().await;
    let mug = shop.id("mug");
    let subject = hand::subject("cmd.product", mug);
    let mut replies = hand.listen("reply.order.*").await;
    let mut dead = hand.listen("dead.product.*").await;
    let orders: Vec<String> = (1..=3).map(order).collect();
    let good: Vec<Value> = orders.iter().map(|order| reserve(mug, order, 2)).collect();
    let bad = changed(&good[0], "kind", json!("product.paint"));

    let all = [good[0].clone(), bad, good[1].clone(), good[2].clone()];
    hand.say(&subject, &all).await;

    // Answers for one partition travel together.
    let like = |order| json!({"kind": "product.reserved", "entity": order});
    replies
        .all(&orders.iter().map(like).collect::<Vec<_>>())
        .await;
    is_dead(&mut dead, &subject).await;
    assert_eq!(shop.stock("mug").await, 94);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_nobody_understands_is_put_aside() {
    let (system, shop, hand) = ground().await;
    let subject = hand::subject("reply.order", NOBODY);
    let command = reserve(shop.id("mug"), NOBODY, 1);
    let reply = hand::reply("product.painted", &command, &json!({}));
    for bytes in [b"\xc1".to_vec(), hand::pack(&json!([reply]))] {
        put_aside(&system, &hand, &subject, bytes).await;
    }
    the_line_moves_on(&system, &shop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tool_shows_dead_letters_sends_them_again_and_drops_them() {
    let (system, shop, hand) = ground().await;
    let subject = hand::subject("cmd.product", shop.id("mug"));
    for bytes in [b"one", b"two"] {
        put_aside(&system, &hand, &subject, bytes.to_vec()).await;
    }

    let shown = said(&system, &["dead", "show", "1"]).await;
    assert!(shown.contains(&subject), "{shown}");
    let mut dead = hand.listen("dead.*.*").await;
    let again = said(&system, &["dead", "replay", "1"]).await;
    assert!(
        again.contains(&format!("1 was sent to {subject}")),
        "{again}"
    );
    // Its cause is not mended, so that it comes back.
    is_dead(&mut dead, &subject).await;
    said(&system, &["dead", "drop", "2", "--yes"]).await;

    let left = listed(&system).await;
    assert_eq!(left.matches(&subject).count(), 1, "{left}");
    said(&system, &["dead", "drop", "--all", "--yes"]).await;
    let left = listed(&system).await;
    assert_eq!(left.matches(&subject).count(), 0, "{left}");
    the_line_moves_on(&system, &shop).await;
}

async fn ground() -> (System, Shop, Hand) {
    let mut system = System::all_in_one(Database::Sqlite).await;
    let shop = shop(&system.client()).product("mug", 100).open().await;
    let hand = Hand::new(system.nats().connect().await);
    (system, shop, hand)
}

/// Says it, and finds it among the dead letters, with a reason, by the broker and by the tool.
async fn put_aside(system: &System, hand: &Hand, subject: &str, payload: Vec<u8>) {
    let mut dead = hand.listen("dead.*.*").await;
    let before = listed(system).await;
    hand.say_bytes(subject, payload.clone()).await;
    is_dead(&mut dead, subject).await;
    let after = listed(system).await;
    assert!(
        after.matches(subject).count() > before.matches(subject).count(),
        "{payload:?} is not listed:\n{after}"
    );
}

async fn is_dead(dead: &mut Ear, said_on: &str) {
    let place = said_on.split_once('.').expect("a subject has parts").1;
    let letter = dead.message("a dead letter", |_| true).await;
    assert_eq!(letter.subject.as_str(), format!("dead.{place}"));
    let headers = letter.headers.expect("a dead letter has headers");
    let reason = headers
        .iter()
        .find(|(name, _)| name.to_string().to_lowercase().contains("reason"))
        .and_then(|(_, values)| values.first());
    assert!(
        reason.is_some_and(|reason| !reason.as_str().is_empty()),
        "a dead letter says why it is one: {headers:?}"
    );
}

async fn listed(system: &System) -> String {
    said(system, &["dead", "list"]).await
}

async fn said(system: &System, arguments: &[&str]) -> String {
    let output = system.tool(arguments).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    said
}

/// The same product, and so the same partition, goes on being ordered.
async fn the_line_moves_on(system: &System, shop: &Shop) {
    shop.confirmed("mug", 1).await;
    check::audit_is_clean(system).await;
}

fn reserve(product: &str, order: &str, quantity: i64) -> Value {
    hand::command(
        "product.reserve",
        product,
        &format!("DEC-{order}"),
        order,
        quantity,
    )
}

fn changed(envelope: &Value, field: &str, value: Value) -> Value {
    let mut envelope = envelope.clone();
    envelope[field] = value;
    envelope
}

fn order(number: u32) -> String {
    format!("0190a1b2-c3d4-7e5f-8a9b-{number:012}")
}
