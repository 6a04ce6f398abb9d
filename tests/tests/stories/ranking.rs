//! Best sellers: from what orders told, each event once, whatever dies or comes again.

use onhand_tests::hand::Hand;
use onhand_tests::ranking::{Ranking, TOP, event, tell};
use onhand_tests::{Client, Database, Node, Shop, System, eventually, load, shop};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn best_sellers_follow_orders_and_cancels() {
    let mut system = System::embedded().await;
    story(&mut system, "onhand").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn best_sellers_follow_orders_and_cancels_on_postgres() {
    let mut system = System::separate(Database::Postgres).await;
    system.add(Node::ranking(&system.world)).await;
    story(&mut system, "ranking-node").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_again_or_late_counts_once() {
    let system = with_ranking(Database::Sqlite).await;
    let ranking = Ranking::in_system(&system);
    let hand = Hand::new(system.nats.as_ref().unwrap().connect().await);
    let mug = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5c";
    // Without a dedup id, as after the broker's window: all of them are in the stream.
    for number in [5, 9, 9, 5, 7, 9, 5] {
        tell(&hand, &of("order.confirmed", number, mug, 2)).await;
    }
    tell(&hand, &of("order.cancelled", 11, mug, 2)).await;
    tell(&hand, &of("order.cancelled", 11, mug, 2)).await;
    // What is no event stops nothing.
    hand.say_bytes("event.order.confirmed", vec![0xc1]).await;
    // From another partition, so it is another event.
    let other = event("order.confirmed", "order-1-9", mug, 3);
    tell(&hand, &other).await;

    ranking.says(&[("a mug", 7)]).await;

    let unread = ranking.events("unreadable").await;
    assert_eq!(unread, 1);
    assert_eq!(ranking.events("repeat").await, 5);

    // Several in one message count as each alone does.
    let sold = |number| of("order.confirmed", number, mug, 4);
    let together = [sold(9), sold(13), json!("no event"), sold(15), sold(13)];
    hand.say("event.order.confirmed", &together).await;
    ranking.says(&[("a mug", 15)]).await;
    assert_eq!(ranking.events("unreadable").await, 2);
    assert_eq!(ranking.events("repeat").await, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_the_database_refuses_stops_no_other() {
    let system = with_ranking(Database::Postgres).await;
    let ranking = Ranking::in_system(&system);
    let hand = Hand::new(system.nats.as_ref().unwrap().connect().await);
    let mug = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5c";
    for number in 1..=9 {
        let mut event = event("order.confirmed", &format!("order-0-{number}"), mug, 1);
        if number == 9 {
            // Postgres keeps no such text. The last of them: a later name would take its place
            // where they are read together.
            event["body"]["items"][0]["name"] = json!("a\u{0}mug");
        }
        tell(&hand, &event).await;
    }

    ranking.says(&[("a mug", 8)]).await;

    // What was told last may be read last.
    eventually("one event to be refused", async || {
        let refused = ranking.events("refused").await;
        (refused == 1).then_some(()).ok_or(refused)
    })
    .await;
    // It counts as had, so that it is not tried again.
    tell(&hand, &of("order.confirmed", 9, mug, 1)).await;
    tell(&hand, &of("order.confirmed", 10, mug, 1)).await;
    ranking.says(&[("a mug", 9)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ranking_with_a_fresh_database_is_made_again_from_the_stream() {
    let mut system = with_ranking(Database::Sqlite).await;
    let client = system.client();
    let shop = shop(&client)
        .product("mug", 50)
        .product("cup", 50)
        .open()
        .await;
    shop.confirmed("mug", 5).await;
    let cancelled = shop.confirmed("cup", 9).await;
    shop.confirmed("cup", 2).await;
    client.cancel(&cancelled).await.expect(200);
    let ranking = Ranking::in_system(&system);
    ranking.says(&[("mug", 5), ("cup", 2)]).await;

    let node = system.node("ranking-node");
    node.stop().await;
    for file in ["ranking.db", "ranking.db-wal", "ranking.db-shm"] {
        // Of a closed database only the first is there.
        let _ = std::fs::remove_file(node.data().join(file));
    }
    node.start_again().await;

    ranking.says(&[("mug", 5), ("cup", 2)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ranking_that_is_killed_counts_every_order_once() {
    let system = with_ranking(Database::Sqlite).await;
    hurt(system, async |system| {
        let node = system.node("ranking-node");
        node.kill9();
        node.start_again().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ranking_that_is_killed_on_postgres_counts_every_order_once() {
    let system = with_ranking(Database::Postgres).await;
    hurt(system, async |system| {
        let node = system.node("ranking-node");
        node.kill9();
        node.start_again().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_loses_its_disk_changes_no_ranking() {
    let system = with_ranking(Database::Sqlite).await;
    hurt(system, async |system| {
        system.nats().kill9();
        system.nats().delete_store();
        system.nats().start_again().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_ranking_stands_by_and_answers_and_takes_over() {
    let mut system = with_ranking(Database::Postgres).await;
    let second = Node::ranking(&system.world).data_in("second");
    let second = system.add(second).await;
    let client = system.client();
    let shop = shop(&client).product("mug", 50).open().await;
    shop.confirmed("mug", 5).await;
    let standing_by = Ranking::of(&system.nodes[second]);
    standing_by.says(&[("mug", 5)]).await;

    system.node("ranking-node").kill9();
    shop.confirmed("mug", 3).await;

    standing_by.says(&[("mug", 8)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_makes_no_sense_is_refused_in_the_documented_form() {
    let system = System::embedded().await;
    let client = system.client();
    for (query, field) in [
        ("days=0", "days"),
        ("days=31", "days"),
        ("days=-1", "days"),
        ("days=many", "days"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=1.5", "limit"),
        ("day=3", "day"),
        ("days=3&days=4", "days"),
    ] {
        let answer = client.get(&format!("/stats/products/top?{query}")).await;
        answer.expect_error(400, "VALIDATION_ERROR");
        let fields = &answer.body["details"]["fields"];
        assert!(fields[field].is_string(), "{query}: {}", answer.body);
    }
    assert_eq!(
        client.get("/stats/products/top").await.expect(200).body,
        json!([])
    );
    let posted = client.post(TOP, &json!({})).await;
    posted.expect_error(405, "METHOD_NOT_ALLOWED");
}

async fn story(system: &mut System, program: &str) {
    let client = system.client();
    let shop = shop(&client)
        .product("mug", 50)
        .product("cup", 50)
        .product("pot", 1)
        .open()
        .await;
    let ranking = Ranking::of(system.node(program));

    shop.confirmed("mug", 3).await;
    shop.confirmed("cup", 5).await;
    let cancelled = shop.confirmed("mug", 4).await;
    // Refused, so it sells nothing.
    shop.order("pot", 2)
        .await
        .expect_error(400, "INSUFFICIENT_STOCK");
    ranking.says(&[("mug", 7), ("cup", 5)]).await;

    client.cancel(&cancelled).await.expect(200);
    ranking.says(&[("cup", 5), ("mug", 3)]).await;

    let one = ranking
        .client()
        .get("/stats/products/top?days=1&limit=1")
        .await
        .expect(200);
    let expected = json!([{"productId": shop.id("cup"), "name": "cup", "quantity": 5, "rank": 1}]);
    assert_eq!(one.body, expected);

    // Renamed, it is known by its new name as soon as it sells again.
    rename(&client, &shop, "cup", "big cup").await;
    shop.confirmed("cup", 1).await;
    ranking.says(&[("big cup", 6), ("mug", 3)]).await;

    system.stop().await;
    system.start_again().await;
    shop.confirmed("mug", 4).await;
    ranking.says(&[("mug", 7), ("big cup", 6)]).await;
}

/// Hurts the system twice while clients order; then the ranking must say what was confirmed.
async fn hurt(mut system: System, hurt: impl AsyncFn(&mut System)) {
    const ORDERS: usize = 600;
    let client = system.client();
    let load = load(&client, 20, 60).await.orders(ORDERS);
    let running = load.start();
    running.reached(ORDERS / 5).await;
    hurt(&mut system).await;
    running.reached(ORDERS / 2).await;
    hurt(&mut system).await;
    let told = running.finish().await;
    onhand_tests::check::every_order_is_final(&client).await;

    let ranking = Ranking::in_system(&system);
    ranking.says_what_was_confirmed(&client, &load, &told).await;
}

async fn rename(client: &Client, shop: &Shop, product: &str, name: &str) {
    let path = format!("/products/{}", shop.id(product));
    let answer = client.patch(&path, "renamed", &json!({"name": name})).await;
    answer.expect(200);
}

async fn with_ranking(database: Database) -> System {
    let mut system = System::separate(database).await;
    system.add(Node::ranking(&system.world)).await;
    system
}

/// An event of the first partition of orders.
fn of(kind: &str, number: i64, product: &str, quantity: i64) -> Value {
    event(kind, &format!("order-0-{number}"), product, quantity)
}
