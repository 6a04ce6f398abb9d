//! The edge as a client sees it, with a node that knows three calls.

use std::sync::Arc;

use axum::{
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode},
};
use messages::id::kind;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::Value;
use tokio::sync::Notify;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::*;
use crate::seams::{Ids, SystemIds};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[tokio::test]
async fn an_unknown_path_and_a_wrong_method_are_answered_in_the_one_form() {
    let edge = edge(Limits::default());
    let unknown = edge.call(Method::GET, "/no/such/path", "").await;
    unknown.is_error(404, "NOT_FOUND");
    let wrong = edge.call(Method::PUT, "/things", "").await;
    wrong.is_error(405, "METHOD_NOT_ALLOWED");
    let allowed = wrong.header("allow");
    assert!(
        allowed.contains("GET") && allowed.contains("POST"),
        "{allowed}"
    );
    let wrong = edge.call(Method::POST, "/readyz", "").await;
    wrong.is_error(405, "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_wherever_it_is_sent() {
    let edge = edge(Limits::default());
    let large = format!(r#"{{"name": "{}"}}"#, "x".repeat(10 * 1024 * 1024));
    for path in ["/things", "/no/such/path", "/things/not-a-uuid"] {
        let answer = edge.call(Method::POST, path, &large).await;
        answer.is_error(413, "PAYLOAD_TOO_LARGE");
    }
    let fits = format!(
        r#"{{"name": "{}"}}"#,
        "x".repeat(around::BODY_BYTES_MAX - 12)
    );
    assert_eq!(fits.len(), around::BODY_BYTES_MAX);
    let answer = edge.call(Method::POST, "/things", &fits).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_body_in_many_pieces_is_read_whole() {
    let pieces = [r#"{"na"#, r#"me": "#, r#""mug"}"#].map(Ok::<_, std::convert::Infallible>);
    let body = Body::from_stream(futures::stream::iter(pieces));
    let request = Request::post("/things").header("content-type", "application/json");
    let request = request.body(body).expect("a request");
    let answer = edge(Limits::default()).send(request).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, Some("mug")));
}

#[tokio::test]
async fn a_panic_is_answered_and_gives_its_place_back() {
    let edge = edge(Limits { requests_max: 1 });
    for _ in 0..3 {
        let answer = edge.call(Method::GET, "/things?panic=true", "").await;
        answer.is_error(500, "INTERNAL_ERROR");
    }
}

#[tokio::test]
async fn at_the_limit_a_call_is_put_off_while_the_operator_is_answered() {
    let edge = edge(Limits { requests_max: 1 });
    let waiting = tokio::spawn(edge.clone().get("/things?wait=true"));
    edge.entered.notified().await;

    let put_off = edge.clone().get("/things").await;
    put_off.is_error(503, "RETRY_LATER");
    assert_eq!(put_off.header("retry-after"), "1");
    for own in ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"] {
        assert_eq!(edge.clone().get(own).await.status, 200, "{own}");
    }
    let page = edge.clone().get("/docs/swagger-ui.css").await;
    assert_eq!(page.status, 200);

    edge.leave.notify_one();
    assert_eq!(waiting.await.expect("no panic").status, 200);
    assert_eq!(edge.clone().get("/things").await.status, 200);
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_every_call_a_trace() {
    let edge = edge(Limits::default());
    let with = |name: &str, value: &str| {
        let request = Request::get("/things").header(name, value);
        request.body(Body::empty()).expect("a request")
    };
    let named = edge.send(with("x-request-id", "mine-7")).await;
    assert_eq!(named.header("x-request-id"), "mine-7");
    let traced = edge.send(with("traceparent", TRACE)).await;
    assert_eq!(traced.header("x-request-id"), &TRACE[3..35]);
    let trace = traced.body.as_str().unwrap_or_default();
    assert_eq!(trace[..36], TRACE[..36], "the same trace");
    assert_ne!(trace, TRACE, "another span");
    let long = "x".repeat(129);
    for bad in ["two words", long.as_str()] {
        let answer = edge.send(with("x-request-id", bad)).await;
        assert_eq!(answer.header("x-request-id").len(), 32);
    }
}

#[tokio::test]
async fn readiness_names_what_is_missing() {
    let edge = edge(Limits::default());
    assert_eq!(edge.clone().get("/readyz").await.status, 200);
    let edge = edge_missing(Limits::default(), &["broker"]);
    let answer = edge.clone().get("/readyz").await;
    answer.is_error(503, "RETRY_LATER");
    assert_eq!(answer.body["details"]["missing"][0], "broker");
}

#[tokio::test]
async fn the_documentation_has_everything_it_needs_and_every_error_has_its_form() {
    let edge = edge(Limits::default());
    let document = edge.clone().get("/openapi.json").await;
    assert_eq!(document.body["info"]["title"], "Things");
    let fields = &document.body["components"]["schemas"]["Error"]["properties"];
    for field in ["error", "message", "details"] {
        assert!(fields[field].is_object(), "{document:?}");
    }
    let call = &document.body["paths"]["/things"]["post"];
    assert_eq!(call["tags"], serde_json::json!(["things"]));
    let answers = &call["responses"];
    let form = &answers["413"]["content"]["application/json"]["schema"]["$ref"];
    assert_eq!(form, "#/components/schemas/Error", "{answers}");
    let page = edge.clone().get("/docs").await;
    assert_eq!(page.status, 200);
    for file in [
        "swagger-ui.css",
        "swagger-ui-bundle.js",
        "favicon-32x32.png",
    ] {
        let path = format!("docs/{file}");
        assert!(page.body.as_str().is_some_and(|text| text.contains(&path)));
        assert_eq!(edge.clone().get(&format!("/{path}")).await.status, 200);
    }
    edge.get("/docs/nothing.js")
        .await
        .is_error(404, "NOT_FOUND");
}

/// The edge of a node that knows things.
#[derive(Clone)]
struct Edge {
    app: App,
    entered: Arc<Notify>,
    leave: Arc<Notify>,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: axum::http::HeaderMap,
    body: Value,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    panic: Option<bool>,
    wait: Option<bool>,
}

#[derive(serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Thing {
    name: String,
}

type State = axum::extract::State<(Arc<Notify>, Arc<Notify>)>;

#[utoipa::path(get, path = "/things", responses((status = 200), List))]
async fn list(state: State, Query(wanted): Query<Wanted>, trace: Trace) -> axum::Json<String> {
    assert!(wanted.panic.is_none(), "as it was asked to");
    if wanted.wait.is_some() {
        state.0.0.notify_one();
        state.0.1.notified().await;
    }
    axum::Json(trace.into_traceparent())
}

#[utoipa::path(post, path = "/things", responses((status = 200), Create))]
async fn make(Json(thing): Json<Thing>) -> axum::Json<String> {
    axum::Json(thing.name)
}

#[utoipa::path(post, path = "/things/{id}", responses((status = 200), Change))]
async fn change(PathId(_id): PathId<kind::Product>, NoBody: NoBody) -> StatusCode {
    StatusCode::OK
}

fn edge(limits: Limits) -> Edge {
    edge_missing(limits, &[])
}

fn edge_missing(limits: Limits, missing: &'static [&'static str]) -> Edge {
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let api = OpenApiRouter::new()
        .routes(routes!(list, make))
        .routes(routes!(change))
        .with_state((Arc::clone(&entered), Arc::clone(&leave)));
    let missing: Missing = Arc::new(|| missing.iter().map(ToString::to_string).collect());
    let ops = Ops {
        missing: vec![missing],
        metrics: PrometheusBuilder::new().build_recorder().handle(),
    };
    let ids: Arc<dyn Ids> = Arc::new(SystemIds::default());
    Edge {
        app: App::new("Things", api, ops, &ids, limits),
        entered,
        leave,
    }
}

impl Edge {
    async fn get(self, path: &str) -> Answer {
        self.call(Method::GET, path, "").await
    }

    async fn call(&self, method: Method, path: &str, body: &str) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("content-type", "application/json");
        let body = Body::from(body.to_owned());
        self.send(request.body(body).expect("a request")).await
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.app.answer(request).await;
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.expect("a body");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
        }
    }
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).expect("the header is there");
        value.to_str().expect("the header is text")
    }

    fn is_error(&self, status: u16, code: &str) {
        let error = self.body["error"].as_str().unwrap_or_default();
        assert_eq!((self.status, error), (status, code), "{self:?}");
        assert!(self.body["message"].is_string(), "{self:?}");
        assert!(self.body.get("details").is_some(), "{self:?}");
        assert!(self.headers.contains_key("x-request-id"), "{self:?}");
    }
}
