//! Two product-nodes on one Postgres: each owns a share, and either can carry all of it.

use std::time::Duration;

use onhand_tests::{Database, Load, Node, Running, System, check, eventually, load};

const ORDERS: usize = 2_000;
/// The product-node that is hurt; the client reads products from the other.
const VICTIM: usize = 1;
/// Long enough that every limit on waiting has passed.
const PAUSE: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_second_product_node_gets_its_share() {
    let system = two_product_nodes().await;
    let (load, running) = begun(&system).await;
    let told = running.finish().await;
    check::at_rest(&system, &load, &told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_product_node_may_not_have_goes_to_the_other() {
    let mut system = two_product_nodes().await;
    let (load, running) = begun(&system).await;

    let victim = &mut system.nodes[VICTIM];
    victim.stop().await;
    victim.set("ONHAND_PARTITIONS_MAX", "1");
    victim.start_again().await;
    system.nodes[VICTIM].owns(|owned| owned == 1).await;
    system.nodes[0].owns(|owned| owned == 7).await;

    let told = running.finish().await;
    check::at_rest(&system, &load, &told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_product_node_is_taken_over_from() {
    let mut system = two_product_nodes().await;
    let (load, running) = begun(&system).await;

    system.nodes[VICTIM].kill9();
    system.nodes[0].owns(|owned| owned == 8).await;

    let told = running.finish().await;
    check::at_rest(&system, &load, &told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_node_that_stops_hands_its_share_over() {
    let mut system = two_product_nodes().await;
    let (load, running) = begun(&system).await;

    system.nodes[VICTIM].stop().await;
    system.nodes[0].owns(|owned| owned == 8).await;

    let told = running.finish().await;
    check::at_rest(&system, &load, &told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_node_that_stops_under_load_loses_nothing() {
    let mut system = System::separate(Database::Postgres).await;
    let (load, running) = begun(&system).await;

    system.node("order-node").stop().await;
    system.node("order-node").start_again().await;

    let told = running.finish().await;
    check::at_rest(&system, &load, &told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_node_that_sleeps_wakes_up_without_harm() {
    let mut system = two_product_nodes().await;
    let (load, running) = begun(&system).await;

    system.nodes[VICTIM].pause();
    system.nodes[0].owns(|owned| owned == 8).await;
    tokio::time::sleep(PAUSE).await;
    system.nodes[VICTIM].cont();

    let told = running.finish().await;
    assert!(system.nodes[VICTIM].runs());
    check::at_rest(&system, &load, &told).await;
    both_work(&system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_node_that_loses_its_connection_loses_its_share_and_nothing_else() {
    let mut system = two_product_nodes().await;
    let (load, running) = begun(&system).await;

    for _ in 0..3 {
        let application = format!("product-node/{}", system.nodes[VICTIM].pid());
        // It may be between two connections.
        eventually("a connection to lose", async || {
            match system.postgres().terminate(&application).await {
                0 => Err("none".to_owned()),
                _ => Ok(()),
            }
        })
        .await;
        system.nodes[VICTIM].ready().await;
    }

    let told = running.finish().await;
    assert!(system.nodes[VICTIM].runs());
    check::at_rest(&system, &load, &told).await;
    both_work(&system).await;
}

async fn two_product_nodes() -> System {
    let mut system = System::ground(Database::Postgres).await;
    for folder in ["product-a", "product-b"] {
        let node = Node::product(&system.world).data_in(folder);
        system.add(node).await;
    }
    system.add(Node::point(&system.world)).await;
    system.add(Node::coupon(&system.world)).await;
    system.add(Node::payment(&system.world)).await;
    system.add(Node::order(&system.world)).await;
    both_work(&system).await;
    system
}

/// Both own something, and between them they own everything.
async fn both_work(system: &System) {
    eventually("two shares that make a whole", async || {
        let owned = |node: usize| system.nodes[node].metric("onhand_partitions_owned");
        let shares = (owned(0).await, owned(VICTIM).await);
        match shares {
            (Some(a), Some(b)) if a > 0 && b > 0 && a + b == 8 => Ok(()),
            _ => Err(format!("{shares:?}")),
        }
    })
    .await;
}

async fn begun(system: &System) -> (Load, Running) {
    let load = load(&system.client(), 30, 150).await.orders(ORDERS);
    let running = load.start();
    running.reached(ORDERS / 5).await;
    (load, running)
}
