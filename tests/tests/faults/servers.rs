//! The broker, the databases and the nodes sleep, die, end, and lose their connections under load.

use std::time::Duration;

use onhand_tests::{Database, System};

use crate::ground::{Ground, is_told_to_come_later, not_ready};

const NODES: [&str; 5] = [
    "product-node",
    "point-node",
    "coupon-node",
    "payment-node",
    "order-node",
];
/// Longer than clients wait for an order in one go, where it waits for what sleeps.
const SLEEP: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn every_node_sleeps_dies_and_is_restarted_in_turn() {
    let mut system = System::separate(Database::Sqlite).await;
    every_node(&mut system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_sleeps_dies_and_is_restarted_in_turn_on_postgres() {
    let mut system = System::separate(Database::Postgres).await;
    every_node(&mut system).await;
}

async fn every_node(system: &mut System) {
    let ground = Ground::under(system).await;
    for program in NODES {
        system.node(program).pause();
        tokio::time::sleep(SLEEP).await;
        system.node(program).cont();
        ground.goes_on().await;
        system.node(program).kill9();
        system.node(program).start_again().await;
        ground.goes_on().await;
        system.node(program).stop().await;
        system.node(program).start_again().await;
        ground.goes_on().await;
    }
    ground.agrees(system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_sleeps_dies_loses_its_disk_and_is_restarted() {
    let mut system = System::separate(Database::Sqlite).await;
    the_broker(&mut system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_sleeps_dies_loses_its_disk_and_is_restarted_on_postgres() {
    let mut system = System::separate(Database::Postgres).await;
    the_broker(&mut system).await;
}

async fn the_broker(system: &mut System) {
    let ground = Ground::under(system).await;

    system.nats().pause();
    tokio::time::sleep(SLEEP).await;
    system.nats().cont();
    ground.goes_on().await;

    system.nats().kill9();
    system.nats().start_again().await;
    ground.goes_on().await;

    system.nats().kill9();
    system.nats().delete_store();
    system.nats().start_again().await;
    ground.goes_on().await;

    system.nats().stop().await;
    for program in NODES {
        not_ready(system, program, "broker").await;
    }
    system.nats().start_again().await;

    ground.agrees(system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_sleeps_dies_drops_its_connections_and_fails_over() {
    let mut system = System::separate(Database::Postgres).await;
    let ground = Ground::under(&system).await;

    system.postgres().pause();
    tokio::time::sleep(SLEEP).await;
    system.postgres().cont();
    ground.goes_on().await;

    system.postgres().kill9();
    system.postgres().start_again().await;
    ground.goes_on().await;

    for _ in 0..3 {
        assert!(system.postgres().terminate_all().await > 0);
        ground.goes_on().await;
    }

    // As a fresh server takes the place of one that is gone.
    system.postgres().stop_at_once().await;
    for program in NODES {
        not_ready(&mut system, program, "ownership").await;
    }
    is_told_to_come_later(&system).await;
    system.postgres().start_again().await;

    ground.agrees(&mut system).await;
}
