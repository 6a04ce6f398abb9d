//! A connection of the load: what is asked on it, and what an answer means.
//! It shares two cores with the server that it measures, so it reads no more of an answer than it
//! has to judge.

use std::io;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::http::{Method, StatusCode};
use serde_json::Value;

use super::http::{Call, Client};
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

pub(super) struct Connection(Client);

/// How long an answer outside the load may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

impl Connection {
    pub(super) async fn open(target: Target) -> Result<Self> {
        let client = Client::open(target.address()).await;
        Ok(Self(
            client.with_context(|| format!("cannot connect to {target}"))?,
        ))
    }

    /// Asks for something of the load.
    pub(super) async fn ask(&mut self, request: &Request) -> Outcome {
        let call = Call::new(&request.method, &request.path, &request.body);
        match self.0.send(call).await {
            Ok(answer) => judge(request.wish, answer.status, answer.body),
            Err(fault) => Outcome::Unknown(format!("no answer: {fault}")),
        }
    }

    /// Whether another request may be sent on it.
    pub(super) fn usable(&self) -> bool {
        self.0.usable()
    }

    /// Asks for JSON outside the load, and demands `expected`.
    pub(super) async fn json(
        &mut self,
        method: Method,
        path: &str,
        body: &str,
        expected: StatusCode,
    ) -> Result<Value> {
        self.demand(Call::new(&method, path, body), expected).await
    }

    /// Adds to a user's points, under an idempotency key.
    pub(super) async fn charge(&mut self, path: &str, body: &str, key: &str) -> Result<Value> {
        let call = Call {
            idempotency_key: Some(key),
            ..Call::new(&Method::POST, path, body)
        };
        self.demand(call, StatusCode::OK).await
    }

    async fn demand(&mut self, call: Call<'_>, expected: StatusCode) -> Result<Value> {
        let path = call.path;
        let answer = tokio::time::timeout(ANSWER_WITHIN, self.0.send(call))
            .await
            .map_err(io::Error::from)
            .flatten()
            .with_context(|| format!("{path} gets no answer"))?;
        let status = answer.status;
        ensure!(
            status == expected,
            "{path} answered {status} instead of {expected}: {}",
            String::from_utf8_lossy(answer.body)
        );
        serde_json::from_slice(answer.body).with_context(|| format!("{path} answered no JSON"))
    }

    /// The status of a GET.
    pub(super) async fn status(&mut self, path: &str) -> Result<StatusCode> {
        Ok(self.0.send(Call::new(&Method::GET, path, "")).await?.status)
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
