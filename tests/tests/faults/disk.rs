//! Disks that are full, read-only or slow.

use onhand_tests::disk::{SlowDisk, Tmpfs};
use onhand_tests::{Database, Node, System, eventually};

use crate::ground::{Ground, not_ready};

const SIZE_MIB: u32 = 64;

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_holds_orders_up_and_loses_none() {
    let mut system = System::ground(Database::Sqlite).await;
    let Some(disk) = Tmpfs::mount(&system.world.folder("data"), SIZE_MIB) else {
        return;
    };
    system.add(Node::onhand(&system.world)).await;
    let ground = Ground::under(&system).await;

    disk.fill();
    told_of(&mut system, "full").await;
    not_ready(&mut system, "onhand", "ownership").await;
    disk.empty();

    ground.agrees(&mut system).await;
    drop(system);
    drop(disk);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_on_a_disk_that_came_back_read_only_is_waited_for() {
    let mut system = System::ground(Database::Sqlite).await;
    let folder = system.world.folder("products");
    let Some(disk) = Tmpfs::mount(&folder, SIZE_MIB) else {
        return;
    };
    let url = format!("sqlite:{}", folder.join("product.db").display());
    system.tell("ONHAND_PRODUCT_DATABASE_URL", &url);
    system.add(Node::onhand(&system.world)).await;
    let ground = Ground::under(&system).await;

    system.node("onhand").kill9();
    disk.set_read_only(true);
    system.node("onhand").launch();
    told_of(&mut system, "not an owner yet").await;
    not_ready(&mut system, "onhand", "ownership of product").await;
    disk.set_read_only(false);

    ground.agrees(&mut system).await;
    drop(system);
    drop(disk);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_that_is_read_only_is_refused_in_one_line() {
    let mut system = System::ground(Database::Sqlite).await;
    let Some(disk) = Tmpfs::mount(&system.world.folder("data"), SIZE_MIB) else {
        return;
    };
    disk.set_read_only(true);
    let mut node = Node::onhand(&system.world);
    node.set("ONHAND_NATS_URL", &system.nats().url());

    node.launch();
    let (end, said) = node.ended().await;

    assert!(!end.success(), "{said}");
    assert!(said.contains("cannot be written"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    drop(system);
    drop(disk);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_disk_slows_orders_down_and_loses_none() {
    let mut system = System::ground(Database::Sqlite).await;
    let slow = SlowDisk::of(&system.world, 40);
    system.add(Node::onhand(&system.world)).await;
    let ground = Ground::under(&system).await;
    let node = system.node("onhand");
    node.kill9();
    for (name, value) in slow.environment() {
        node.set(&name, &value);
    }
    node.start_again().await;
    ground.goes_on().await;
    assert!(slow.was_asked(), "nobody has waited for this disk");
    ground.agrees(&mut system).await;
}

/// Waits until the log says what is wrong with the disk.
async fn told_of(system: &mut System, what: &str) {
    eventually("a line about the disk", async || {
        let log = system.node("onhand").log().to_lowercase();
        log.contains(what).then_some(()).ok_or("no line")
    })
    .await;
}
