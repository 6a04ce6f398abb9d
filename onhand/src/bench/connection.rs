//! One HTTP/1.1 connection kept alive, one request at a time, and what an answer means.
//! It shares two cores with the server that it measures, so it reads no more of an answer than it
//! has to judge.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::target::Target;
use super::work::{Request, Wish};

/// What became of one request, as far as its answer tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is done: the order is confirmed, the coupon issued, what was to be read is answered.
    Done,
    /// The server is at a limit and has taken nothing.
    Busy,
    /// Another answer which says that nothing was sold.
    Refused(String),
    /// Not known: the piece may be sold or not.
    Unknown(String),
}

pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    headers: HeaderMap,
}

/// How long an answer outside the load may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

impl Connection {
    pub(super) async fn open(target: Target) -> Result<Self> {
        let address = target.address();
        let cannot = || format!("cannot connect to {target}");
        let stream = TcpStream::connect(address).await.with_context(cannot)?;
        stream.set_nodelay(true).with_context(cannot)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .with_context(cannot)?;
        // Its error reaches the request in flight, which is where it is counted.
        tokio::spawn(connection);
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::try_from(address.to_string())?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Self { sender, headers })
    }

    /// Asks for something of the load.
    pub(super) async fn ask(&mut self, request: Request) -> Outcome {
        let wish = request.wish;
        match self.send(request.method, request.uri, request.body).await {
            Ok((status, body)) => judge(wish, status, &body),
            Err(fault) => Outcome::Unknown(format!("no answer: {fault}")),
        }
    }

    /// Whether another request may be sent on it.
    pub(super) fn usable(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Asks for JSON outside the load, and demands `expected`.
    pub(super) async fn json(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
        expected: StatusCode,
    ) -> Result<Value> {
        let answer = self.send(method, path.parse()?, body);
        let (status, body) = tokio::time::timeout(ANSWER_WITHIN, answer)
            .await
            .with_context(|| format!("{path} gets no answer"))??;
        ensure!(
            status == expected,
            "{path} answered {status} instead of {expected}: {}",
            String::from_utf8_lossy(&body)
        );
        serde_json::from_slice(&body).with_context(|| format!("{path} answered no JSON"))
    }

    /// Adds to a user's points, under an idempotency key.
    pub(super) async fn charge(&mut self, path: &str, body: Bytes, key: &str) -> Result<Value> {
        const KEY: HeaderName = HeaderName::from_static("idempotency-key");
        self.headers.insert(KEY, HeaderValue::try_from(key)?);
        let charged = self.json(Method::POST, path, body, StatusCode::OK).await;
        self.headers.remove(KEY);
        charged
    }

    /// The status of a GET.
    pub(super) async fn status(&mut self, path: &'static str) -> Result<StatusCode> {
        Ok(self
            .send(Method::GET, Uri::from_static(path), Bytes::new())
            .await?
            .0)
    }

    async fn send(
        &mut self,
        method: Method,
        uri: Uri,
        body: Bytes,
    ) -> hyper::Result<(StatusCode, Bytes)> {
        let mut request = hyper::Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers.clone();
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
}

/// What is read of an answer that is none of what was asked for.
#[derive(serde::Deserialize)]
struct Problem<'a> {
    error: &'a str,
}

fn judge(wish: Wish, status: StatusCode, body: &[u8]) -> Outcome {
    match (wish, status) {
        (Wish::Order, StatusCode::CREATED) if !contains(body, br#""status":"CONFIRMED""#) => {
            return Outcome::Unknown("201, but not CONFIRMED".to_owned());
        }
        (Wish::Order | Wish::Coupon, StatusCode::CREATED) | (Wish::Read, StatusCode::OK) => {
            return Outcome::Done;
        }
        _ => {}
    }
    let problem = serde_json::from_slice::<Problem<'_>>(body).ok();
    match problem.map(|problem| problem.error) {
        Some("RETRY_LATER") if status == StatusCode::SERVICE_UNAVAILABLE => Outcome::Busy,
        Some(error) if status.is_client_error() => {
            Outcome::Refused(format!("{} {error}", status.as_u16()))
        }
        Some(error) => Outcome::Unknown(format!("{} {error}", status.as_u16())),
        None => Outcome::Unknown(status.as_u16().to_string()),
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_created_and_confirmed_order_counts_as_confirmed() {
        let body = r#"{"id":"1","status":"CONFIRMED","failReason":null}"#;
        assert_eq!(outcome(201, body), Outcome::Done);
        assert!(matches!(outcome(200, body), Outcome::Unknown(_)));
        assert!(matches!(
            outcome(201, r#"{"status":"PENDING"}"#),
            Outcome::Unknown(_)
        ));
        assert!(matches!(
            outcome(202, r#"{"status":"PENDING"}"#),
            Outcome::Unknown(_)
        ));
    }

    #[test]
    fn a_coupon_is_issued_and_a_page_is_read() {
        assert_eq!(
            judge(Wish::Coupon, StatusCode::CREATED, b"{}"),
            Outcome::Done
        );
        assert_eq!(judge(Wish::Read, StatusCode::OK, b"[]"), Outcome::Done);
        let gone = judge(
            Wish::Coupon,
            StatusCode::CONFLICT,
            br#"{"error":"COUPON_EXHAUSTED"}"#,
        );
        assert_eq!(gone, Outcome::Refused("409 COUPON_EXHAUSTED".to_owned()));
        let wrong = judge(Wish::Read, StatusCode::CREATED, b"{}");
        assert!(matches!(wrong, Outcome::Unknown(_)), "{wrong:?}");
    }

    #[test]
    fn a_full_server_is_told_from_a_broken_one() {
        assert_eq!(outcome(503, r#"{"error":"RETRY_LATER"}"#), Outcome::Busy);
        assert_eq!(
            outcome(503, "bad gateway"),
            Outcome::Unknown("503".to_owned())
        );
        assert_eq!(
            outcome(500, r#"{"error":"INTERNAL"}"#),
            Outcome::Unknown("500 INTERNAL".to_owned())
        );
    }

    #[test]
    fn a_refusal_is_counted_under_its_name() {
        assert_eq!(
            outcome(400, r#"{"error":"INSUFFICIENT_STOCK"}"#),
            Outcome::Refused("400 INSUFFICIENT_STOCK".to_owned())
        );
    }

    fn outcome(status: u16, body: &str) -> Outcome {
        judge(
            Wish::Order,
            StatusCode::from_u16(status).expect("a status"),
            body.as_bytes(),
        )
    }
}
