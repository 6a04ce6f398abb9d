//! What happens around every request, in one function: a name, a trace, a limit, a whole body, an
//! answer even to a panic, and a count.
//!
//! One plain function and not a stack of layers: it is on the way of every order.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::{FutureExt as _, StreamExt as _};
use http_body::Body as _;
use tower::ServiceExt as _;
use tracing::Instrument as _;

use super::{Problem, Trace};
use crate::{seams::Ids, telemetry::names};

/// The largest body that is read.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// How much of a body that is too large is read and thrown away, so that its sender sees the
/// answer: a connection that is closed with bytes unread is reset, and the answer may go with it.
const BODY_DRAIN_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How long a body may take to arrive, so that a slow sender does not hold a place for ever.
const BODY_WAIT: Duration = Duration::from_secs(30);
/// The longest request id that is taken over from a caller.
const REQUEST_ID_BYTES_MAX: usize = 128;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The limits of an edge.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many requests may be under way at once.
    pub requests_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { requests_max: 4096 }
    }
}

/// What is kept around all requests of one kind.
pub struct Around {
    ids: Arc<dyn Ids>,
    in_flight: AtomicUsize,
    requests_max: usize,
    in_flight_gauge: metrics::Gauge,
    seconds: metrics::Histogram,
    /// By status, from 100 on; looked up once, since a look-up by name costs more than to count.
    answered: Vec<OnceLock<metrics::Counter>>,
}

impl Around {
    /// Begins with no request under way.
    pub fn new(ids: Arc<dyn Ids>, limits: Limits) -> Self {
        Self {
            ids,
            in_flight: AtomicUsize::new(0),
            requests_max: limits.requests_max,
            in_flight_gauge: metrics::gauge!(names::IN_FLIGHT),
            seconds: metrics::histogram!(names::HTTP_SECONDS),
            answered: std::iter::repeat_with(OnceLock::new).take(500).collect(),
        }
    }

    /// Carries a request through.
    pub async fn carry(&self, mut request: Request, router: Router) -> Response {
        let begun = Instant::now();
        let given = request.headers().get(TRACEPARENT);
        let trace = Trace::continue_or_begin(given.and_then(|v| v.to_str().ok()), &*self.ids);
        let request_id = request_id(request.headers(), &trace);
        let (method, uri) = (request.method().clone(), request.uri().clone());
        // Not made where nobody asked to see it: it would be written out for each order.
        let span = tracing::debug_span!(
            "request",
            %method,
            path = uri.path(),
            request_id = request_id.to_str().unwrap_or_default(),
            traceparent = trace.traceparent(),
        );
        request.extensions_mut().insert(trace);

        let answer = AssertUnwindSafe(self.answer(request, router).instrument(span.clone()));
        let mut response = answer.catch_unwind().await.unwrap_or_else(|panic| {
            let _entered = span.enter();
            tracing::error!(message = said(&*panic), "a request panicked");
            Problem::Internal.into_response()
        });

        if response.status() == StatusCode::INTERNAL_SERVER_ERROR {
            let request_id = request_id.to_str().unwrap_or_default();
            tracing::error!(%method, path = uri.path(), request_id, "a request failed inside");
        }
        self.count(response.status().as_u16());
        self.seconds.record(begun.elapsed());
        response.headers_mut().insert(REQUEST_ID, request_id);
        response
    }

    async fn answer(&self, request: Request, router: Router) -> Response {
        let Some(_place) = self.enter() else {
            tracing::debug!("too many requests are under way");
            let missing = vec!["a place among the requests under way".to_owned()];
            return Problem::RetryLater { missing }.into_response();
        };
        match collected(request).await {
            Ok(request) => {
                let Ok(response) = router.oneshot(request).await;
                response
            }
            Err(problem) => problem.into_response(),
        }
    }

    /// Takes a place; `None` at the limit.
    fn enter(&self) -> Option<Place<'_>> {
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        // Made before the limit is looked at, so that the count goes back either way.
        self.in_flight_gauge.increment(1.0);
        let place = Place(self);
        (before < self.requests_max).then_some(place)
    }

    fn count(&self, status: u16) {
        if let Some(counter) = self.answered.get(usize::from(status.saturating_sub(100))) {
            counter
                .get_or_init(
                    || metrics::counter!(names::HTTP_REQUESTS, "status" => status.to_string()),
                )
                .increment(1);
        }
    }
}

/// A request's place among those under way.
struct Place<'a>(&'a Around);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.0.in_flight_gauge.decrement(1.0);
    }
}

/// The caller's own id where it is one that can be handed on, else the trace's.
fn request_id(headers: &HeaderMap, trace: &Trace) -> HeaderValue {
    let given = headers.get(REQUEST_ID).filter(|value| {
        (1..=REQUEST_ID_BYTES_MAX).contains(&value.len())
            && value.as_bytes().iter().all(u8::is_ascii_graphic)
    });
    given.cloned().unwrap_or_else(|| {
        HeaderValue::from_str(trace.id()).expect("hexadecimal digits fit into a header")
    })
}

/// The request with its whole body in memory: whatever answers it, and be it that nobody knows
/// the path, the connection has nothing unread.
async fn collected(request: Request) -> Result<Request, Problem> {
    if request.body().is_end_stream() {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    // Such a client sends its body only when it is asked to: then there is nothing to drain.
    let waits = parts.headers.contains_key(header::EXPECT);
    if waits && body.size_hint().lower() > BODY_BYTES_MAX as u64 {
        return Err(Problem::TooLarge);
    }
    match tokio::time::timeout(BODY_WAIT, collect(body)).await {
        Ok(bytes) => Ok(Request::from_parts(parts, Body::from(bytes?))),
        Err(_) => Err(Problem::TooSlow),
    }
}

async fn collect(body: Body) -> Result<Bytes, Problem> {
    let broken = |_| Problem::invalid("the body ends before it is complete");
    let mut chunks = body.into_data_stream();
    let first = chunks.next().await.transpose().map_err(broken)?;
    let mut first = first.unwrap_or_default();
    let mut length = first.len();
    // Most bodies come in one piece, which need not be copied.
    let mut whole = Vec::new();
    while let Some(chunk) = chunks.next().await.transpose().map_err(broken)? {
        length += chunk.len();
        if length > BODY_DRAIN_BYTES_MAX {
            break;
        }
        if length <= BODY_BYTES_MAX {
            whole.extend_from_slice(&std::mem::take(&mut first));
            whole.extend_from_slice(&chunk);
        }
    }
    if length > BODY_BYTES_MAX {
        return Err(Problem::TooLarge);
    }
    Ok(if whole.is_empty() {
        first
    } else {
        whole.into()
    })
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
