//! Who knows whom: the absences that nobody can read from the code.

#![expect(
    clippy::unwrap_used,
    reason = "a story that is wrong about its own ground fails where it stands"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

const IO: [&str; 8] = [
    "tokio",
    "sqlx",
    "async-nats",
    "axum",
    "reqwest",
    "hyper",
    "ractor",
    "rustix",
];
const SERVICES: [&str; 6] = [
    "order-node",
    "product-node",
    "point-node",
    "coupon-node",
    "payment-node",
    "ranking-node",
];
const ABOVE: [&str; 5] = [
    "onhand",
    "onhand-sim",
    "onhand-sim-shop",
    "onhand-tests",
    "onhand-baselines",
];

#[test]
fn messages_knows_no_io_not_even_through_others() {
    let graph = graph();
    let mut known = BTreeSet::new();
    let mut new = vec!["onhand-messages".to_owned()];
    while let Some(package) = new.pop() {
        if known.insert(package.clone()) {
            new.extend(graph.get(&package).into_iter().flatten().cloned());
        }
    }
    assert!(known.contains("serde"), "{known:?}");
    for io in IO {
        assert!(!known.contains(io), "messages reaches {io}");
    }
}

#[test]
fn the_host_knows_no_service() {
    let node = &graph()["onhand-node"];
    assert!(node.contains("onhand-messages"));
    for service in SERVICES.iter().chain(&ABOVE) {
        assert!(!node.contains(*service), "node knows {service}");
    }
}

#[test]
fn the_host_alone_knows_the_broker_and_the_actors() {
    let graph = graph();
    for package in ["onhand-messages"].iter().chain(&SERVICES) {
        for library in ["async-nats", "ractor"] {
            assert!(
                !graph[*package].contains(library),
                "{package} knows {library}"
            );
        }
    }
    assert!(graph["onhand-node"].contains("ractor"));
    assert!(graph["onhand-node"].contains("async-nats"));
    assert!(!graph["onhand"].contains("ractor"));
}

#[test]
fn the_host_alone_knows_how_the_log_is_written_which_knows_sqlite_alone() {
    let graph = graph();
    let needs: Vec<&String> = graph["onhand-sqlite-log"].iter().collect();
    assert_eq!(needs, ["rusqlite"]);
    let know = graph
        .iter()
        .filter(|(_, needs)| needs.contains("onhand-sqlite-log"));
    let know: Vec<&String> = know.map(|(name, _)| name).collect();
    assert_eq!(know, ["onhand-node"]);
}

#[test]
fn no_service_knows_another() {
    let graph = graph();
    for service in SERVICES {
        for other in SERVICES.iter().chain(&ABOVE) {
            assert!(!graph[service].contains(*other), "{service} knows {other}");
        }
    }
}

/// What is compared with us must not be us.
#[test]
fn the_baselines_know_nothing_of_ours() {
    let baselines = &graph()["onhand-baselines"];
    let ours = ["onhand-messages", "onhand-sqlite-log", "onhand-node"];
    for package in ours.iter().chain(&SERVICES).chain(&ABOVE) {
        assert!(!baselines.contains(*package), "baselines knows {package}");
    }
}

#[test]
fn nobody_knows_the_programs_and_the_tests() {
    let graph = graph();
    for package in ["onhand", "onhand-sim", "onhand-sim-shop"] {
        for other in [
            "onhand",
            "onhand-sim-shop",
            "onhand-tests",
            "onhand-baselines",
        ] {
            assert!(!graph[package].contains(other), "{package} knows {other}");
        }
    }
}

#[test]
fn the_world_of_simulations_knows_no_service() {
    let sim = &graph()["onhand-sim"];
    assert!(sim.contains("onhand-node"));
    for service in SERVICES {
        assert!(!sim.contains(service), "sim knows {service}");
    }
}

#[test]
fn every_package_of_the_workspace_has_its_place() {
    let places = ["onhand-messages", "onhand-sqlite-log", "onhand-node"];
    let expected: BTreeSet<String> = places
        .iter()
        .chain(&SERVICES)
        .chain(&ABOVE)
        .map(ToString::to_string)
        .collect();
    let metadata = metadata();
    let name = |package: &Value| package["name"].as_str().unwrap().to_owned();
    let members: BTreeSet<String> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|package| package["source"].is_null())
        .map(name)
        .collect();
    assert_eq!(members, expected);
}

/// What each package needs to be built, by name; what only its tests need is left out.
fn graph() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata();
    let names: BTreeMap<&str, &str> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| (text(&package["id"]), text(&package["name"])))
        .collect();
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let needs = |node: &Value| -> BTreeSet<String> {
        let dependencies = node["deps"].as_array().unwrap();
        dependencies
            .iter()
            .filter(|dependency| {
                let kinds = dependency["dep_kinds"].as_array().unwrap();
                kinds.iter().any(|kind| kind["kind"].is_null())
            })
            .map(|dependency| names[text(&dependency["pkg"])].to_owned())
            .collect()
    };
    let mut graph = BTreeMap::<String, BTreeSet<String>>::new();
    for node in nodes {
        let name = names[text(&node["id"])].to_owned();
        // Two versions of one package count as one.
        graph.entry(name).or_default().extend(needs(node));
    }
    graph
}

fn metadata() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(onhand_tests::place::project())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
