//! One HTTP/1.1 connection kept alive, one request at a time, and what an answer to an order means.
//! It shares two cores with the server that it measures, so it reads no more of an answer than it
//! has to judge.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::target::Target;

/// What became of one order, as far as its answer tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Confirmed,
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
    orders: Uri,
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
        Ok(Self {
            sender,
            headers,
            orders: Uri::from_static("/orders"),
        })
    }

    /// Places an order whose body is ready made.
    pub(super) async fn order(&mut self, body: Bytes) -> Outcome {
        match self.send(Method::POST, self.orders.clone(), body).await {
            Ok((status, body)) => judge(status, &body),
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
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers.clone();
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
}

fn judge(status: StatusCode, body: &[u8]) -> Outcome {
    if status == StatusCode::CREATED {
        return if contains(body, br#""status":"CONFIRMED""#) {
            Outcome::Confirmed
        } else {
            Outcome::Unknown("201, but not CONFIRMED".to_owned())
        };
    }
    let error = serde_json::from_slice::<Value>(body)
        .ok()
        .and_then(|problem| problem.get("error")?.as_str().map(str::to_owned));
    match error.as_deref() {
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
        assert_eq!(outcome(201, body), Outcome::Confirmed);
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
            StatusCode::from_u16(status).expect("a status"),
            body.as_bytes(),
        )
    }
}
