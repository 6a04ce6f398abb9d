//! A rolling restart: two processes of every service, stopped and started one after another under
//! load. Nothing is lost, and nothing is refused.
//!
//! A connection that a process closes or does not take when it is down is no refusal: a client asks
//! the other process, under the same key. No answer may be a 5xx, and no order may be given up.

use onhand_tests::load::Outcome;
use onhand_tests::{Database, Node, System, check, eventually, load};

const ORDERS: usize = 6_000;
const SOME: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_loses_and_refuses_nothing() {
    let mut system = System::ground(Database::Postgres).await;
    // An order may meet one restart after another; it is given up when nothing else helps.
    system.tell("ONHAND_ORDER_DEADLINE_MS", "25000");
    system.tell("ONHAND_ORDER_WAIT_MS", "28000");
    for folder in ["first", "second"] {
        for node in [
            Node::product(&system.world),
            Node::point(&system.world),
            Node::coupon(&system.world),
            Node::payment(&system.world),
            Node::order(&system.world),
        ] {
            let folder = format!("{}-{folder}", node.program());
            let node = node.data_in(&folder);
            system.add(node).await;
        }
    }
    shared(&system).await;
    let load = load(&system.client(), 20, 1_000).await;
    let load = load.orders(ORDERS).clients(6).of_everything().await;
    let running = load.start();
    running.reached(SOME).await;

    for number in 0..system.nodes.len() {
        system.nodes[number].stop().await;
        running.reached_more(SOME).await;
        system.nodes[number].start_again().await;
        shared(&system).await;
        running.reached_more(SOME).await;
    }

    let refused = running.refused();
    let told = running.enough().await;
    assert_eq!(refused, 0, "clients were refused");
    let given_up = |outcome: &Outcome| match outcome {
        Outcome::Refused(why) => why == "DEPENDENCY_FAILED",
        Outcome::Running => true,
        Outcome::Confirmed => false,
    };
    let given_up: Vec<_> = told.iter().filter(|told| given_up(&told.outcome)).collect();
    assert!(given_up.is_empty(), "{given_up:?}");
    check::at_rest(&system, &load, &told).await;
    check::points_agree(&system.client(), &told).await;
}

/// Every process owns something, as it does once it has joined.
async fn shared(system: &System) {
    eventually("every process to have its share", async || {
        for node in &system.nodes {
            match node.metric("onhand_partitions_owned").await {
                Some(owned) if owned > 0 => {}
                other => return Err(format!("{} owns {other:?}", node.url())),
            }
        }
        Ok(())
    })
    .await;
}
