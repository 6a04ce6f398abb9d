//! Bodies as callers send them. The edge has collected them before (see [`super::around`]).

use std::borrow::Cow;

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use serde::de::DeserializeOwned;

use super::{Problem, around::BODY_BYTES_MAX};

/// A body of JSON. Its type says which fields there are: it denies unknown ones.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

/// The body of a call that needs none: nothing at all, or an empty object.
#[derive(Clone, Copy, Debug)]
pub struct NoBody;

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = bytes(body).await?;
        if bytes.is_empty() && !parts.headers.contains_key(header::CONTENT_TYPE) {
            return Err(Problem::invalid("a JSON body is required"));
        }
        if !is_json(&parts.headers) {
            return Err(Problem::UnsupportedMediaType);
        }
        parse(&bytes).map(Self)
    }
}

impl<S: Send + Sync> FromRequest<S> for NoBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = bytes(body).await?;
        if bytes.is_empty() {
            return Ok(Self);
        }
        if !is_json(&parts.headers) {
            return Err(Problem::UnsupportedMediaType);
        }
        parse::<Nothing>(&bytes).map(|Nothing {}| Self)
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

async fn bytes(body: Body) -> Result<Bytes, Problem> {
    axum::body::to_bytes(body, BODY_BYTES_MAX)
        .await
        .map_err(|_| Problem::TooLarge)
}

/// Whether the body is said to be JSON: `application/json`, or a type built on it.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE);
    let Some(text) = value.and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = text.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
        || essence
            .to_ascii_lowercase()
            .strip_prefix("application/")
            .is_some_and(|subtype| subtype.ends_with("+json"))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // A struct could be read from an array as well, by the order of its fields, which is no promise.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::invalid("the body must be a JSON object"));
    }
    serde_json::from_slice(bytes).map_err(|error| explain::<T>(bytes, &error))
}

/// Reads a bad body once more, keeping track of where it went wrong: good ones need not pay for it.
fn explain<T: DeserializeOwned>(bytes: &[u8], error: &serde_json::Error) -> Problem {
    if !error.is_data() {
        return Problem::invalid(format!("the body is no JSON: {error}"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let path = match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Ok(_) => None,
        Err(traced) => Some(traced.path().to_string()).filter(|path| path != "."),
    };
    let text = error.to_string();
    let why = text.split(" at line ").next().unwrap_or(&text);
    named(path.as_deref(), &in_words(why))
}

/// Whoever sends JSON need not know what Rust calls a whole number.
fn in_words(why: &str) -> Cow<'_, str> {
    let expected = |kind| why.strip_suffix(kind)?.strip_suffix(", expected ");
    match (expected("u32"), expected("i64")) {
        (Some(found), _) => {
            format!("{found}, expected a whole number from 0 to {}", u32::MAX).into()
        }
        (_, Some(found)) => format!("{found}, expected a whole number").into(),
        (None, None) => why.into(),
    }
}

/// A problem with the field that a path or the text itself names.
pub(super) fn named(path: Option<&str>, why: &str) -> Problem {
    let quoted = ["unknown field `", "missing field `", "duplicate field `"]
        .iter()
        .find_map(|start| why.strip_prefix(start)?.split('`').next());
    match (path, quoted) {
        // The field itself may or may not be part of the path already.
        (Some(path), Some(field)) if path == field || path.ends_with(&format!(".{field}")) => {
            Problem::field(path, why)
        }
        (Some(path), Some(field)) => Problem::field(format!("{path}.{field}"), why),
        (Some(path), None) => Problem::field(path, why),
        (None, Some(field)) => Problem::field(field, why),
        (None, None) => Problem::invalid(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "only how it is refused matters")]
        inner: Vec<Inner>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only how it is refused matters")]
        quantity: messages::Quantity,
    }

    async fn read(kind: Option<&str>, body: &'static str) -> Result<Outer, Problem> {
        let mut request = Request::post("/");
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let request = request.body(Body::from(body)).expect("a request");
        Json::from_request(request, &())
            .await
            .map(|Json(body)| body)
    }

    #[tokio::test]
    async fn a_body_that_is_wrong_names_the_field() {
        for (body, field) in [
            (
                r#"{"inner": [{"quantity": 1}, {"quantity": 0}]}"#,
                "inner[1].quantity",
            ),
            (r#"{"inner": [{"quantity": "3"}]}"#, "inner[0].quantity"),
            (r#"{"inner": [{"quantity": 1e30}]}"#, "inner[0].quantity"),
            (r#"{"inner": [{"quantitiy": 3}]}"#, "inner[0].quantitiy"),
            (r#"{"inner": [{}]}"#, "inner[0].quantity"),
            (r#"{"inner": 7}"#, "inner"),
            (r#"{"inner": [], "outer": 1}"#, "outer"),
            (r#"{"inner": [], "inner": []}"#, "inner"),
            ("{}", "inner"),
        ] {
            let problem = read(Some("application/json"), body).await.expect_err(body);
            let Problem::Invalid { fields, .. } = problem else {
                panic!("{body}: {problem:?}");
            };
            let names: Vec<_> = fields.keys().collect();
            assert_eq!(names, [field], "{body}");
        }
    }

    #[test]
    fn a_number_that_is_wrong_is_told_what_it_may_be() {
        #[derive(Debug, serde::Deserialize)]
        #[expect(dead_code, reason = "only how it is refused matters")]
        struct Numbers {
            count: Option<u32>,
            delta: Option<i64>,
            pieces: Option<messages::Quantity>,
        }
        for (body, why) in [
            (
                r#"{"count": -1}"#,
                "invalid value: integer `-1`, expected a whole number from 0 to 4294967295",
            ),
            (
                r#"{"delta": 0.5}"#,
                "invalid type: floating point `0.5`, expected a whole number",
            ),
            (
                r#"{"pieces": -3}"#,
                "invalid value: integer `-3`, expected a whole number from 1 to 1000000 (pieces)",
            ),
        ] {
            let problem = parse::<Numbers>(body.as_bytes()).expect_err(body);
            let Problem::Invalid { fields, .. } = problem else {
                panic!("{body}: {problem:?}");
            };
            assert_eq!(fields.values().collect::<Vec<_>>(), [why], "{body}");
        }
    }

    #[tokio::test]
    async fn a_body_that_is_no_json_is_refused() {
        for body in [
            "", "{", "nonsense", "{} {}", "[]", " [[]]", "null", "\"text\"",
        ] {
            let problem = read(Some("application/json"), body).await.expect_err(body);
            assert_eq!(problem.code(), "VALIDATION_ERROR", "{body}");
        }
        let problem = read(None, "").await.expect_err("an empty body");
        assert_eq!(problem.code(), "VALIDATION_ERROR");
    }

    #[tokio::test]
    async fn a_body_must_be_said_to_be_json() {
        let body = r#"{"inner": []}"#;
        for kind in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/problem+json",
        ] {
            assert!(read(Some(kind), body).await.is_ok(), "{kind}");
        }
        for kind in [
            Some("text/plain"),
            Some("application/jsonp"),
            Some(""),
            None,
        ] {
            let problem = read(kind, body).await.expect_err("another type");
            assert_eq!(problem, Problem::UnsupportedMediaType, "{kind:?}");
        }
    }

    #[tokio::test]
    async fn a_call_without_a_body_takes_nothing_or_an_empty_object() {
        let read = async |kind: &str, body: &'static str| {
            let request = Request::post("/").header("content-type", kind);
            let request = request.body(Body::from(body)).expect("a request");
            NoBody::from_request(request, &()).await.map(|NoBody| ())
        };
        assert_eq!(read("text/plain", "").await, Ok(()));
        assert_eq!(read("application/json", "{}").await, Ok(()));
        assert!(
            read("application/json", r#"{"force": true}"#)
                .await
                .is_err()
        );
        let other = read("text/plain", "force").await;
        assert_eq!(other, Err(Problem::UnsupportedMediaType));
    }
}
