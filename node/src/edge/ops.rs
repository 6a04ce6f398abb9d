//! The operator's calls: whether it runs, whether it can work, what it counts.

use std::sync::Arc;

use axum::{
    Router,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;

use super::{Answer, Problem};

/// Says what is missing to work; nothing where nothing is.
pub type Missing = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// What the operator's calls look at.
#[derive(Clone)]
pub struct Ops {
    /// What each service of this process is missing.
    pub missing: Vec<Missing>,
    /// What is counted.
    pub metrics: PrometheusHandle,
}

/// The type of the Prometheus text format.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

const HEALTHZ: &str = "/healthz";
const READYZ: &str = "/readyz";
const METRICS: &str = "/metrics";

/// Whether this is one of the operator's calls.
pub(super) fn has(path: &str) -> bool {
    [HEALTHZ, READYZ, METRICS].contains(&path)
}

/// The operator's calls.
pub(super) fn router(ops: Ops) -> Router {
    let Ops { missing, metrics } = ops;
    Router::new()
        .route(HEALTHZ, get(async || Answer(json!({"status": "ok"}))))
        .route(READYZ, get(async move || ready(&missing)))
        .route(
            METRICS,
            get(async move || ([(header::CONTENT_TYPE, PROMETHEUS)], metrics.render())),
        )
}

fn ready(missing: &[Missing]) -> Response {
    let missing: Vec<String> = missing.iter().flat_map(|missing| missing()).collect();
    if missing.is_empty() {
        Answer(json!({"status": "ready"})).into_response()
    } else {
        Problem::RetryLater { missing }.into_response()
    }
}
