//! More orders than are admitted at a time.

use futures::future::join_all;
use onhand_tests::{
    Answer, Client, Database, Shop, System, check, client::order_of, eventually, shop,
};
use reqwest::Method;

/// Where one order is placed at a time, which counts until it is over.
async fn one_at_a_time() -> System {
    let mut system = System::ground(Database::Sqlite).await;
    system.tell("ONHAND_ORDERS_ADMITTED_MAX", "1");
    system.tell("ONHAND_ORDER_ADMITTED_MS", "60000");
    system.tell("ONHAND_ORDER_ADMISSION_WAIT_MS", "300");
    system
}

/// The same with time for whoever waits.
async fn one_after_another() -> (System, Shop) {
    let mut system = one_at_a_time().await;
    system.tell("ONHAND_ORDER_ADMISSION_WAIT_MS", "60000");
    opened(system).await
}

/// Thirty mugs for sale.
async fn opened(mut system: System) -> (System, Shop) {
    system.start_separate().await;
    let shop = shop(&system.client()).product("mug", 30).open().await;
    (system, shop)
}

/// Nobody answers what orders ask for.
async fn without_products(system: System) -> (System, Shop) {
    let (mut system, shop) = opened(system).await;
    system.node("product-node").stop().await;
    (system, shop)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_has_its_turn() {
    let (system, shop) = one_after_another().await;
    let answers = join_all((0..20).map(|_| shop.order("mug", 1))).await;
    assert!(answers.iter().all(|answer| answer.status == 201));
    assert_eq!(shop.stock("mug").await, 10);
    assert_eq!(in_line(&system).await, Some(0));
    check::audit_is_clean(&system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_too_long_is_told_to_come_again_and_leaves_nothing() {
    let (system, shop) = without_products(one_at_a_time().await).await;
    let client = system.client();
    let failed = shop.order("mug", 1).await;
    failed.expect_error(424, "DEPENDENCY_FAILED");
    let failed = failed.order().unwrap()["id"].as_str().unwrap().to_owned();
    let history = async || client.get(&format!("/orders/{failed}/history")).await.body;
    let before = history().await;

    let first = shop.order("mug", 1);
    let others = async {
        one_is_under_way(&client).await;
        for told in [shop.order("mug", 1).await, client.retry(&failed).await] {
            sent_away(&told);
        }
    };
    let (first, ()) = tokio::join!(first, others);

    first.expect_error(424, "DEPENDENCY_FAILED");
    assert_eq!(client.orders_in("FAILED").await, 2);
    assert_eq!(client.orders_in("PENDING").await, 0);
    assert_eq!(history().await, before);
    assert_eq!(in_line(&system).await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_is_answered_though_the_process_stops() {
    let (mut system, shop) = one_after_another().await;
    system.node("product-node").pause();
    let orders = join_all((0..5).map(|_| shop.order("mug", 1)));
    let stopping = async {
        eventually("four to be in line", async || {
            let waiting = in_line(&system).await;
            let told = format!("{waiting:?} are");
            (waiting == Some(4)).then_some(()).ok_or(told)
        })
        .await;
        system.node("product-node").cont();
        system.node("order-node").stop().await;
    };
    let (answers, ()) = tokio::join!(orders, stopping);
    assert!(answers.iter().all(|answer| answer.status == 201));
    assert_eq!(shop.stock("mug").await, 25);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_nobody_waits_for_keeps_its_place_until_it_is_at_rest() {
    let (system, shop) = without_products(one_at_a_time().await).await;
    let client = system.client();
    let at_once = async || {
        let place = client.request(&Method::POST, "/orders");
        let body = order_of(&[(shop.id("mug"), 1)]);
        let place = place.header("prefer", "respond-async").json(&body);
        place.answer().await
    };
    at_once().await.expect(202);
    sent_away(&at_once().await);
    eventually("the first to be at rest", async || {
        let failed = client.orders_in("FAILED").await;
        (failed == 1).then_some(()).ok_or(failed)
    })
    .await;
    eventually("its place to be free", async || {
        let told = at_once().await;
        (told.status == 202).then_some(()).ok_or(told.status)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_somebody_else_keeps_nobody_waiting() {
    let mut system = one_at_a_time().await;
    system.tell("ONHAND_ORDER_ADMITTED_MS", "1");
    let (system, shop) = without_products(system).await;
    let answers = join_all((0..3).map(|_| shop.order("mug", 1))).await;
    for answer in &answers {
        answer.expect_error(424, "DEPENDENCY_FAILED");
    }
    assert_eq!(system.client().orders_in("FAILED").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_requests_than_may_be_under_way_are_told_to_come_again() {
    let mut system = System::ground(Database::Sqlite).await;
    system.tell("ONHAND_REQUESTS_MAX", "1");
    let (system, shop) = without_products(system).await;
    let client = system.client();
    let (one, other) = tokio::join!(shop.order("mug", 1), shop.order("mug", 1));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [424, 503]);
    assert_eq!(client.orders_in("FAILED").await, 1);
}

fn sent_away(told: &Answer) {
    told.expect_error(503, "RETRY_LATER");
    assert_eq!(told.headers["retry-after"], "1");
}

async fn one_is_under_way(client: &Client) {
    eventually("an order to be under way", async || {
        let pending = client.orders_in("PENDING").await;
        (pending == 1).then_some(()).ok_or(pending)
    })
    .await;
}

async fn in_line(system: &System) -> Option<u64> {
    system.peek("order-node").metric("onhand_waiting").await
}
