//! Idempotency keys as callers send them.

use axum::{extract::FromRequestParts, http::request::Parts};

use super::Problem;

const HEADER: &str = "idempotency-key";
/// The longest key, in bytes.
const BYTES_MAX: usize = 128;

/// The `Idempotency-Key` of a call that accepts one: 1 to 128 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(pub Option<String>);

/// The `Idempotency-Key` of a call that requires one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiredKey(pub String);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(HEADER).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(Self(None)),
            (Some(value), None) => check(value.as_bytes()).map(|key| Self(Some(key))),
            (Some(_), Some(_)) => Err(wrong("is given more than once")),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequiredKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match IdempotencyKey::from_request_parts(parts, state).await? {
            IdempotencyKey(Some(key)) => Ok(Self(key)),
            IdempotencyKey(None) => Err(wrong("is required here")),
        }
    }
}

fn check(value: &[u8]) -> Result<String, Problem> {
    let valid = (1..=BYTES_MAX).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic);
    match std::str::from_utf8(value) {
        Ok(key) if valid => Ok(key.to_owned()),
        _ => Err(wrong("has 1 to 128 visible ASCII characters")),
    }
}

fn wrong(why: &str) -> Problem {
    Problem::field("Idempotency-Key", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_visible_ascii_characters_and_not_too_many() {
        let longest = "k".repeat(BYTES_MAX);
        for key in ["k", "DEC-0190a1b2", "a/b?c=d~!", &longest] {
            assert_eq!(check(key.as_bytes()), Ok(key.to_owned()));
        }
        let long = "k".repeat(BYTES_MAX + 1);
        for key in [
            "",
            " ",
            "two words",
            "schlüssel",
            "tab\there",
            "\u{7f}",
            &long,
        ] {
            let problem = check(key.as_bytes()).expect_err(key);
            assert_eq!(problem.code(), "VALIDATION_ERROR");
        }
    }
}
