//! What the tests here have in common: a load of everything, and what must hold behind it.

use onhand_tests::load::Running;
use onhand_tests::{Load, Node, System, check, eventually, load};
use serde_json::json;

/// More than are ordered while anything is hurt.
const ORDERS: usize = 4_000;
/// How many are ordered before and behind each thing that hurts.
const SOME: usize = 60;
/// So many lines of warnings and errors in one process say what is wrong; more bury it.
const LOUD_MAX: usize = 60;

/// A load on its way, of orders that use everything.
pub(crate) struct Ground {
    load: Load,
    running: Running,
}

impl Ground {
    /// Lets clients order.
    pub(crate) async fn under(system: &System) -> Self {
        let load = load(&system.client(), 20, 1_000).await;
        let load = load.orders(ORDERS).clients(6).of_everything().await;
        let running = load.start();
        running.reached(SOME).await;
        Self { load, running }
    }

    /// Waits until orders go on.
    pub(crate) async fn goes_on(&self) {
        self.running.reached_more(SOME).await;
    }

    /// Waits until every client was answered; then everything must agree, every process be ready,
    /// and none have flooded its log.
    pub(crate) async fn agrees(self, system: &mut System) {
        self.goes_on().await;
        let told = self.running.enough().await;
        for node in &mut system.nodes {
            node.ready().await;
            quiet(node);
        }
        check::at_rest(system, &self.load, &told).await;
        check::points_agree(&system.client(), &told).await;
    }
}

/// Waits until a node says that it is not ready, and that this is missing; a new order is answered
/// 503 meanwhile, or is on its way.
pub(crate) async fn not_ready(system: &mut System, program: &str, missing: &str) {
    let url = system.node(program).url();
    eventually(&format!("{program} to miss {missing}"), async || {
        let answer = reqwest::get(format!("{url}/readyz")).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let said = answer.text().await.map_err(|error| error.to_string())?;
        match status {
            503 if said.contains(missing) => Ok(()),
            _ => Err(format!("{status} {said}")),
        }
    })
    .await;
}

/// A new order is told to come later, with how much later.
pub(crate) async fn is_told_to_come_later(system: &System) {
    let body = json!({"buyerId": "u-9",
        "items": [{"productId": "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", "quantity": 1}]});
    let answer = system.client().post("/orders", &body).await;
    answer.expect_error(503, "RETRY_LATER");
    assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
}

/// A process has said what was wrong, and not more often than a person can read.
fn quiet(node: &mut Node) {
    let log = node.log();
    let loud: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("\"WARN\"") || line.contains("\"ERROR\""))
        .collect();
    assert!(
        loud.len() <= LOUD_MAX,
        "{} says {} lines: {:#?}",
        node.program(),
        loud.len(),
        loud.iter().rev().take(5).collect::<Vec<_>>()
    );
}
