//! What dies under load, comes back, and has lost nothing.
//!
//! Each test hurts the system twice while clients order, lets it come back, and then asks the
//! clients, the services and the audit whether they agree.

use onhand_tests::{Database, System, check, eventually, load};

const ORDERS: usize = 2_000;

#[tokio::test(flavor = "multi_thread")]
async fn onhand_is_killed_and_stops_the_broker_that_it_left_behind() {
    let system = System::embedded().await;
    hurt_under_load(system, async |system| {
        let left_behind = broker_of_onhand(system);
        kill(system, "onhand").await;
        assert_ne!(broker_of_onhand(system), left_behind);
        eventually("the broker that was left behind to be gone", async || {
            (!runs(left_behind)).then_some(()).ok_or("it runs")
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn onhand_is_killed_on_postgres() {
    let system = System::all_in_one(Database::Postgres).await;
    hurt_under_load(system, async |system| kill(system, "onhand").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_node_is_killed() {
    let system = System::separate(Database::Sqlite).await;
    hurt_under_load(system, async |system| kill(system, "order-node").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_node_is_killed_on_postgres() {
    let system = System::separate(Database::Postgres).await;
    hurt_under_load(system, async |system| kill(system, "order-node").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_product_node_is_killed() {
    let system = System::separate(Database::Sqlite).await;
    hurt_under_load(system, async |system| kill(system, "product-node").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_product_node_is_killed_on_postgres() {
    let system = System::separate(Database::Postgres).await;
    hurt_under_load(system, async |system| kill(system, "product-node").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_is_killed() {
    let system = System::all_in_one(Database::Sqlite).await;
    hurt_under_load(system, kill_the_broker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_is_killed_on_postgres() {
    let system = System::separate(Database::Postgres).await;
    hurt_under_load(system, kill_the_broker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_loses_its_disk() {
    let system = System::all_in_one(Database::Sqlite).await;
    hurt_under_load(system, lose_the_disk_of_the_broker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_loses_its_disk_on_postgres() {
    let system = System::separate(Database::Postgres).await;
    hurt_under_load(system, lose_the_disk_of_the_broker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_killed() {
    let system = System::separate(Database::Postgres).await;
    hurt_under_load(system, async |system| {
        system.postgres().kill9();
        system.postgres().start_again().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_killed_at_once() {
    let system = System::separate(Database::Sqlite).await;
    hurt_under_load(system, async |system| {
        system.nats().kill9();
        for node in &mut system.nodes {
            node.kill9();
        }
        system.nats().start_again().await;
        system.start_again().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_of_onhand_is_killed_and_orders_go_on() {
    let mut system = System::embedded().await;
    let client = system.client();
    let load = load(&client, 10, 200).await.orders(600);
    let running = load.start();
    running.reached(200).await;

    let pid = broker_of_onhand(&mut system);
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();

    let told = running.finish().await;
    check::at_rest(&system, &load, &told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn onhand_is_killed_under_orders_that_use_everything() {
    let mut system = System::embedded().await;
    hurt_under_orders_of_everything(&mut system, async |system| kill(system, "onhand").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_is_killed_in_turn_under_orders_that_use_everything() {
    let mut system = System::separate(Database::Postgres).await;
    hurt_under_orders_of_everything(&mut system, async |system| {
        for program in [
            "point-node",
            "coupon-node",
            "payment-node",
            "order-node",
            "product-node",
        ] {
            kill(system, program).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_loses_its_disk_under_orders_that_use_everything() {
    let mut system = System::all_in_one(Database::Sqlite).await;
    hurt_under_orders_of_everything(&mut system, lose_the_disk_of_the_broker).await;
}

async fn hurt_under_orders_of_everything(system: &mut System, hurt: impl AsyncFn(&mut System)) {
    let client = system.client();
    let load = load(&client, 20, 110).await.orders(ORDERS / 2);
    let load = load.of_everything().await;
    let running = load.start();

    running.reached(ORDERS / 10).await;
    hurt(system).await;
    running.reached(ORDERS / 4).await;
    hurt(system).await;

    let told = running.finish().await;
    check::at_rest(system, &load, &told).await;
    check::points_agree(&client, &told).await;
}

async fn hurt_under_load(mut system: System, hurt: impl AsyncFn(&mut System)) {
    let client = system.client();
    // Fewer pieces than are asked for, so that there are refusals and releases too.
    let load = load(&client, 20, 220).await.orders(ORDERS);
    let running = load.start();

    running.reached(ORDERS / 5).await;
    hurt(&mut system).await;
    running.reached(ORDERS / 2).await;
    hurt(&mut system).await;

    let told = running.finish().await;
    check::at_rest(&system, &load, &told).await;
}

fn broker_of_onhand(system: &mut System) -> rustix::process::Pid {
    let file = system.node("onhand").data().join("nats.pid");
    let pid = std::fs::read_to_string(file).unwrap();
    rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap()
}

fn runs(pid: rustix::process::Pid) -> bool {
    // Its parent was killed: where nobody buries it, it stays in the list of processes, dead.
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    let dead = stat.is_ok_and(|stat| stat.contains(") Z "));
    !dead && rustix::process::test_kill_process(pid).is_ok()
}

async fn kill(system: &mut System, program: &str) {
    let node = system.node(program);
    node.kill9();
    node.start_again().await;
}

async fn kill_the_broker(system: &mut System) {
    system.nats().kill9();
    system.nats().start_again().await;
}

async fn lose_the_disk_of_the_broker(system: &mut System) {
    system.nats().kill9();
    system.nats().delete_store();
    system.nats().start_again().await;
}
