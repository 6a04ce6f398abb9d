//! More orders than are admitted at a time.

use futures::future::join_all;
use onhand_tests::{Client, Database, Shop, System, check, eventually, shop};

/// One at a time, which counts until it is over.
fn one_at_a_time(system: &mut System) {
    system.tell("ONHAND_ORDERS_ADMITTED_MAX", "1");
    system.tell("ONHAND_ORDER_ADMITTED_MS", "60000");
}

/// Nobody answers what orders ask for.
async fn without_products(mut system: System) -> (System, Shop) {
    system.start_separate().await;
    let shop = shop(&system.client()).product("mug", 10).open().await;
    system.node("product-node").stop().await;
    (system, shop)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_has_its_turn() {
    let mut system = System::ground(Database::Sqlite).await;
    one_at_a_time(&mut system);
    system.start_separate().await;
    let shop = shop(&system.client()).product("mug", 30).open().await;
    let answers = join_all((0..20).map(|_| shop.order("mug", 1))).await;
    assert!(answers.iter().all(|answer| answer.status == 201));
    assert_eq!(shop.stock("mug").await, 10);
    check::audit_is_clean(&system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_too_long_is_told_to_come_again_and_leaves_nothing() {
    let mut system = System::ground(Database::Sqlite).await;
    one_at_a_time(&mut system);
    system.tell("ONHAND_ASK_WAIT_MS", "300");
    let (system, shop) = without_products(system).await;
    let client = system.client();

    let first = shop.order("mug", 1);
    let second = async {
        one_is_under_way(&client).await;
        shop.order("mug", 1).await
    };
    let (first, second) = tokio::join!(first, second);

    first.expect_error(424, "DEPENDENCY_FAILED");
    second.expect_error(503, "RETRY_LATER");
    assert_eq!(second.headers["retry-after"], "1");
    assert_eq!(client.orders_in("FAILED").await, 1);
    assert_eq!(client.orders_in("PENDING").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_somebody_else_keeps_nobody_waiting() {
    let mut system = System::ground(Database::Sqlite).await;
    one_at_a_time(&mut system);
    system.tell("ONHAND_ORDER_ADMITTED_MS", "1");
    system.tell("ONHAND_ORDER_DEADLINE_MS", "3000");
    let (system, shop) = without_products(system).await;
    let answers = join_all((0..5).map(|_| shop.order("mug", 1))).await;
    for answer in &answers {
        answer.expect_error(424, "DEPENDENCY_FAILED");
    }
    assert_eq!(system.client().orders_in("FAILED").await, 5);
}

async fn one_is_under_way(client: &Client) {
    eventually("an order to be under way", async || {
        let pending = client.orders_in("PENDING").await;
        (pending == 1).then_some(()).ok_or(pending)
    })
    .await;
}
