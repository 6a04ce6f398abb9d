//! `onhand events`: every event once, on the screen and in files, whatever is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use onhand_tests::{Database, System, eventually, load, place, shop};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn the_events_of_an_order_are_lines_in_their_order() {
    let system = System::embedded().await;
    let client = system.client();
    let shop = shop(&client).product("mug", 5).open().await;
    let order = shop.confirmed("mug", 3).await;
    client.cancel(&order).await.expect(200);

    // What is told already, and nothing else: it ends by itself.
    let kinds = eventually("the events of an order", async || {
        let lines = shown(&system, &["events"]).await;
        let kinds: Vec<String> = lines.iter().map(|line| text(line, "kind")).collect();
        (kinds.len() >= 5)
            .then_some(kinds)
            .ok_or("not all are told")
    })
    .await;
    let of_the_order: Vec<&str> = kinds
        .iter()
        .map(String::as_str)
        .filter(|kind| kind.starts_with("order."))
        .collect();
    assert_eq!(
        of_the_order,
        [
            "order.created.pending",
            "order.confirmed",
            "order.cancelled"
        ]
    );

    let only = ["events", "--subject", "event.order.confirmed"];
    let lines = shown(&system, &only).await;
    assert_eq!(lines.len(), 1);
    let confirmed = &lines[0];
    assert_eq!(confirmed["entity"], order.as_str());
    // A data platform needs nothing else to know what was bought, by whom, when and for how much.
    let body = &confirmed["body"];
    assert_eq!(body["buyerId"], "u-001");
    assert_eq!(body["items"][0]["productId"], shop.id("mug"));
    assert_eq!(body["items"][0]["name"], "mug");
    assert_eq!(body["items"][0]["quantity"], 3);
    assert_eq!(body["items"][0]["amount"], 117_000);
    assert_eq!(body["amountDue"], 117_000);
    assert!(body["createdAt"].is_string(), "{body}");

    let nothing = ["events", "--since", "9999-01-01T00:00:00Z"];
    assert!(shown(&system, &nothing).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_follows_sees_what_is_told_later_too() {
    let system = System::embedded().await;
    let client = system.client();
    let shop = shop(&client).product("mug", 5).open().await;
    let first = shop.confirmed("mug", 1).await;
    let mut tool = Tool::start(
        &system,
        &["events", "--follow", "--subject", "event.order.confirmed"],
    );
    let output = tool.0.stdout.take().unwrap();
    let lines = tokio::task::spawn_blocking(move || {
        let mut lines = BufReader::new(output).lines();
        let mut next =
            move || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
        (next(), next)
    });
    let (one, next) = lines.await.unwrap();
    assert_eq!(one["entity"], first.as_str());

    let second = shop.confirmed("mug", 1).await;
    let two = tokio::task::spawn_blocking(next).await.unwrap();
    assert_eq!(two["entity"], second.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_is_killed_loses_nothing_and_repeats_nothing() {
    let system = System::all_in_one(Database::Sqlite).await;
    let client = system.client();
    let load = load(&client, 10, 200).await.orders(900);
    let running = load.start();
    let folder = system.world.folder("exported");

    // Killed again and again in the middle of its work, while orders go on.
    for part in 1..=5 {
        let mut tool = export(&system, &folder, &[]);
        running.reached(part * 150).await;
        let before = bytes(&folder);
        eventually("the export to write", async || {
            (bytes(&folder) > before).then_some(()).ok_or("nothing new")
        })
        .await;
        tool.kill9();
    }
    let told = running.finish().await;
    onhand_tests::check::every_order_is_final(&client).await;

    is_whole(&system, &folder, told.len()).await;
    assert!(names(&folder).len() > 3, "{:?}", names(&folder));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_goes_on_over_a_broker_that_loses_its_disk() {
    let mut system = System::all_in_one(Database::Sqlite).await;
    let client = system.client();
    let load = load(&client, 10, 200).await.orders(600);
    let running = load.start();
    let folder = system.world.folder("exported");
    let mut tool = export(&system, &folder, &[]);
    running.reached(200).await;

    system.nats().kill9();
    system.nats().delete_store();
    system.nats().start_again().await;

    let told = running.finish().await;
    onhand_tests::check::every_order_is_final(&client).await;
    eventually("all orders in the files", async || {
        let seen = final_orders(&folder).len();
        (seen == told.len())
            .then_some(())
            .ok_or(format!("{seen} of {}", told.len()))
    })
    .await;
    tool.kill9();
    each_once(&lines(&folder));
}

/// Lets the export end by itself, and looks whether the files say exactly what the stream says.
async fn is_whole(system: &System, folder: &Path, orders: usize) {
    eventually("all orders in the files", async || {
        let end = export(system, folder, &["--once"]).0.wait().unwrap();
        assert!(end.success());
        let seen = final_orders(folder).len();
        (seen == orders)
            .then_some(())
            .ok_or(format!("{seen} of {orders}"))
    })
    .await;
    let in_files = lines(folder);
    each_once(&in_files);
    let in_stream = shown(system, &["events"]).await;
    assert_eq!(in_files.len(), in_stream.len());
    assert!(
        in_files == in_stream,
        "the files say something else than the stream"
    );
}

fn each_once(lines: &[Value]) {
    let mut ids = BTreeMap::<String, usize>::new();
    for line in lines {
        *ids.entry(text(line, "id")).or_default() += 1;
    }
    ids.retain(|_, count| *count > 1);
    assert!(ids.is_empty(), "repeated: {ids:?}");
}

/// The orders that were told to be confirmed or failed.
fn final_orders(folder: &Path) -> BTreeSet<String> {
    lines(folder)
        .iter()
        .filter(|line| {
            ["order.confirmed", "order.failed"].contains(&line["kind"].as_str().unwrap())
        })
        .map(|line| text(line, "entity"))
        .collect()
}

/// A tool of `onhand` on its own, which does not outlive the test.
struct Tool(Child);

impl Tool {
    fn start(system: &System, arguments: &[&str]) -> Self {
        let child = Command::new(place::program("onhand"))
            .args(arguments)
            .env_clear()
            .env("ONHAND_DATA", system.world.folder("data"))
            .envs(&system.environment)
            .current_dir(system.world.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self(child)
    }

    fn kill9(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An export into small files.
fn export(system: &System, folder: &Path, more: &[&str]) -> Tool {
    let folder = folder.to_str().unwrap();
    let arguments = [
        "events",
        "export",
        "--dir",
        folder,
        "--file-bytes-max",
        "200000",
    ];
    Tool::start(system, &[&arguments, more].concat())
}

async fn shown(system: &System, arguments: &[&str]) -> Vec<Value> {
    let output = system.tool(arguments).await;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What is in the files; a line that is being written is none yet.
fn lines(folder: &Path) -> Vec<Value> {
    let mut lines = Vec::new();
    for name in names(folder) {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        lines.extend(
            text[..whole]
                .lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap()),
        );
    }
    lines
}

fn bytes(folder: &Path) -> u64 {
    let length = |name: &String| std::fs::metadata(folder.join(name)).map_or(0, |m| m.len());
    names(folder).iter().map(length).sum()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("events-"))
        .collect();
    names.sort();
    names
}

fn text(line: &Value, field: &str) -> String {
    line[field].as_str().unwrap().to_owned()
}
