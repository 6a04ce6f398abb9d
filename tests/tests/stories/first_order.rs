//! The first story, in every shape that Onhand runs in.

use onhand_tests::{Database, System, check, shop};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_confirmed_another_refused_and_a_cancel_gives_all_back() {
    let mut system = System::embedded().await;
    story(&mut system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_on_postgres() {
    let mut system = System::all_in_one(Database::Postgres).await;
    story(&mut system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_in_separate_processes() {
    let mut system = System::separate(Database::Sqlite).await;
    story(&mut system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_in_separate_processes_on_postgres() {
    let mut system = System::separate(Database::Postgres).await;
    story(&mut system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_of_several_lines_takes_all_or_nothing() {
    let system = System::embedded().await;
    let client = system.client();
    let shop = shop(&client)
        .product("mug", 5)
        .product("cup", 5)
        .product("pot", 1)
        .open()
        .await;

    let lines = [("mug", 2), ("pot", 2), ("cup", 3)];
    let refused = shop.order_lines(&lines).await;

    refused.expect_error(400, "INSUFFICIENT_STOCK");
    onhand_tests::eventually("what was taken to be back", async || {
        let left = [shop.stock("mug").await, shop.stock("cup").await];
        (left == [5, 5]).then_some(()).ok_or(format!("{left:?}"))
    })
    .await;
    assert_eq!(shop.stock("pot").await, 1);

    let lines = [("mug", 2), ("pot", 1), ("cup", 3)];
    let confirmed = shop.order_lines(&lines).await.expect(201);

    assert_eq!(confirmed.body["items"].as_array().map(Vec::len), Some(3));
    assert_eq!(confirmed.body["subtotal"], 6 * onhand_tests::shop::PRICE);
    assert_eq!(shop.stock("mug").await, 3);
    check::audit_is_clean(&system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_order_runs_again_under_new_request_ids() {
    let system = System::embedded().await;
    let client = system.client();
    let shop = shop(&client).product("mug", 1).open().await;
    let failed = shop.order("mug", 2).await;
    failed.expect_error(400, "INSUFFICIENT_STOCK");
    let order = failed.order().unwrap()["id"].as_str().unwrap();

    client
        .retry(order)
        .await
        .expect_error(400, "INSUFFICIENT_STOCK");
    let path = format!("/products/{}/stock", shop.id("mug"));
    let more = json!({"delta": 4, "reason": "MANUAL"});
    let answer = client.patch(&path, "delivery-1", &more).await.expect(200);
    assert_eq!(answer.body["remainingStock"], 5);

    let confirmed = client.retry(order).await.expect(200);

    assert_eq!(confirmed.body["status"], "CONFIRMED");
    assert_eq!(confirmed.text("id"), order);
    assert_eq!(shop.stock("mug").await, 3);
    let requests = requests(&shop.ledger("mug").await);
    assert!(
        requests.contains(&format!("DEC-{order}-3 OUT 2")),
        "{requests:?}"
    );
    client.retry(order).await.expect_error(400, "INVALID_STATE");
    check::audit_is_clean(&system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_leaves_its_address_where_the_tools_find_it() {
    let mut system = System::embedded().await;
    let node = system.node("onhand");
    assert_eq!(node.written_address(), node.url());
    let read = |name: &str| std::fs::read_to_string(node.data().join(name)).unwrap();
    assert!(read("nats.url").contains("127.0.0.1:"));
    let pid: u32 = read("nats.pid").trim().parse().unwrap();
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    assert_eq!(name.trim(), "nats-server");

    system.stop().await;

    let gone = !std::path::Path::new(&format!("/proc/{pid}")).exists();
    assert!(
        gone,
        "a node that stops stops the nats-server that it started"
    );
}

/// The story itself, for whoever has another system to tell it on.
pub(crate) async fn story(system: &mut System) {
    let client = system.client();
    let shop = shop(&client).product("mug", 5).open().await;

    let first = shop.confirmed("mug", 3).await;
    let refused = shop.order("mug", 3).await;

    refused.expect_error(400, "INSUFFICIENT_STOCK");
    let failed = refused.order().expect("a refusal shows its order");
    assert_eq!(failed["status"], "FAILED");
    assert_eq!(shop.stock("mug").await, 2);

    let order = client.order(&first).await;
    assert_eq!(order["subtotal"], 117_000);
    assert_eq!(order["amountDue"], 117_000);
    assert_eq!(order["items"][0]["name"], "mug");
    assert_eq!(order["items"][0]["unitPrice"], 39_000);
    assert!(order["code"].as_str().is_some_and(|code| !code.is_empty()));

    let cancelled = client.cancel(&first).await.expect(200);

    assert_eq!(cancelled.body["status"], "CANCELLED");
    assert_eq!(shop.stock("mug").await, 5);
    let done = requests(&shop.ledger("mug").await);
    assert!(done.contains(&format!("DEC-{first} OUT 3")), "{done:?}");
    assert!(done.contains(&format!("INC-{first} IN 3")), "{done:?}");
    client
        .cancel(failed["id"].as_str().unwrap())
        .await
        .expect_error(400, "INVALID_STATE");
    check::every_order_is_final(&client).await;
    check::audit_is_clean(system).await;

    system.stop().await;
    check::audit_is_clean(system).await;
    system.start_again().await;

    assert_eq!(client.order(&first).await["status"], "CANCELLED");
    assert_eq!(shop.stock("mug").await, 5);
    shop.confirmed("mug", 5).await;
    check::audit_is_clean(system).await;
}

fn requests(ledger: &[serde_json::Value]) -> Vec<String> {
    let text = |row: &serde_json::Value, field: &str| row[field].as_str().unwrap().to_owned();
    ledger
        .iter()
        .map(|row| {
            let (request, direction) = (text(row, "requestId"), text(row, "direction"));
            format!("{request} {direction} {}", row["quantity"])
        })
        .collect()
}
