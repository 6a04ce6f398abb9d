//! A hundred clients want what sixty can have.

use std::collections::BTreeSet;

use futures::future::join_all;
use onhand_tests::{Database, System, check, shop};

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
