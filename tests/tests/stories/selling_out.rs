//! A hundred clients want what sixty can have.

use std::collections::BTreeSet;

use futures::future::join_all;
use onhand_tests::{Answer, Database, System, check, shop};
use serde_json::{Value, json};

const CLIENTS: usize = 100;
const STOCK: i64 = 60;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_clients_get_the_sixty_pieces_that_there_are() {
    story(System::embedded().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_on_postgres() {
    story(System::all_in_one(Database::Postgres).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_in_separate_processes() {
    story(System::separate(Database::Sqlite).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_in_separate_processes_on_postgres() {
    story(System::separate(Database::Postgres).await).await;
}

async fn story(system: System) {
    let client = system.client();
    let shop = shop(&client).product("mug", STOCK).open().await;

    let answers = join_all((0..CLIENTS).map(|_| shop.order("mug", 1))).await;

    let (confirmed, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == 201);
    for answer in &refused {
        answer.expect_error(400, "INSUFFICIENT_STOCK");
    }
    assert_eq!((confirmed.len(), refused.len()), (60, 40));
    assert_eq!(shop.stock("mug").await, 0);

    let ledger = shop.ledger("mug").await;
    let took: BTreeSet<_> = ledger
        .iter()
        .filter(|row| row["direction"] == "OUT")
        .map(|row| row["orderId"].as_str().unwrap().to_owned())
        .collect();
    let told: BTreeSet<_> = confirmed.iter().map(|answer| answer.text("id")).collect();
    assert_eq!(took, told);
    assert!(ledger.iter().all(|row| row["balance"].as_i64() >= Some(0)));
    assert_eq!(client.orders_in("CONFIRMED").await, 60);
    assert_eq!(client.orders_in("FAILED").await, 40);
    check::audit_is_clean(&system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sold_out_is_refused_at_the_door_until_there_is_more() {
    turned_away(System::embedded().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_at_the_door_of_another_process_on_postgres() {
    turned_away(System::separate(Database::Postgres).await).await;
}

async fn turned_away(system: System) {
    let client = system.client();
    let shop = shop(&client)
        .product("mug", 1)
        .product("cup", 9)
        .open()
        .await;
    shop.confirmed("mug", 1).await;

    // The first is refused by the product that it asked, and from then on it is asked before.
    let steps = async |answer: &Answer| {
        answer.expect_error(400, "INSUFFICIENT_STOCK");
        let order = answer.order().unwrap();
        assert_eq!(order["status"], "FAILED");
        let id = order["id"].as_str().unwrap();
        let history = client
            .get(&format!("/orders/{id}/history"))
            .await
            .expect(200);
        let steps = history.body["items"].as_array().unwrap().clone();
        let said = |step: &Value| format!("{} {}", step["step"], step["outcome"]).replace('"', "");
        steps.iter().map(said).collect::<Vec<_>>()
    };
    let first = shop.order("mug", 1).await;
    let usual = ["place PENDING", "reserve REFUSED", "fail FAILED"];
    assert_eq!(steps(&first).await, usual);
    let second = shop.order("mug", 1).await;
    assert_eq!(steps(&second).await, ["place FAILED"]);
    let basket = shop.order_lines(&[("cup", 2), ("mug", 3)]).await;
    assert_eq!(steps(&basket).await, ["place FAILED"]);
    assert_eq!(shop.stock("cup").await, 9);

    // A key says the same order, and what came in is sold at once, by a retry too.
    let mug = shop.id("mug");
    let keyed = client.place_keyed("one", mug, 2).await;
    assert_eq!(steps(&keyed).await, ["place FAILED"]);
    let more = json!({"delta": 4, "reason": "MANUAL"});
    let path = format!("/products/{mug}/stock");
    client.patch(&path, "more", &more).await.expect(200);
    let again = client.place_keyed("one", mug, 2).await;
    again.expect_error(400, "INSUFFICIENT_STOCK");
    let id = again.order().unwrap()["id"].as_str().unwrap();
    assert_eq!(Some(id), keyed.order().unwrap()["id"].as_str());
    shop.confirmed("mug", 1).await;
    client.retry(id).await.expect(200);
    assert_eq!(shop.stock("mug").await, 1);
    check::audit_is_clean(&system).await;
}
