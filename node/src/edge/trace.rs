//! Which trace a request belongs to (W3C Trace Context, level 1).

use std::{convert::Infallible, fmt::Write as _};

use axum::{extract::FromRequestParts, http::request::Parts};

use messages::Origin;

use crate::{
    host::{Ask, Target},
    seams::Ids,
};

/// The trace that a request belongs to: the caller's where it named a valid one, under a span id
/// of our own, else a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace(String);

const VERSION: &str = "00";
const SAMPLED: &str = "01";
/// In bytes.
const LENGTH: usize = 2 + 1 + 32 + 1 + 16 + 1 + 2;

impl Trace {
    /// Goes on with the trace that the header names, or begins one.
    pub fn continue_or_begin(header: Option<&str>, ids: &dyn Ids) -> Self {
        // Zero stands for "none" in both ids.
        let span = ids.random().max(1);
        let mut text = String::with_capacity(LENGTH);
        // Writing to a text cannot fail.
        let _ = if let Some((trace, flags)) = header.and_then(parse) {
            write!(text, "{VERSION}-{trace}-{span:016x}-{flags}")
        } else {
            let (high, low) = (ids.random().max(1), ids.random());
            write!(
                text,
                "{VERSION}-{high:016x}{low:016x}-{span:016x}-{SAMPLED}"
            )
        };
        Self(text)
    }

    /// The value of a `traceparent` header.
    pub fn traceparent(&self) -> &str {
        &self.0
    }

    /// An ask on behalf of the caller of this request, under an id that the host draws, answered
    /// right after the commit.
    pub fn ask<C>(self, target: impl Into<Target>, command: C) -> Ask<C> {
        Ask {
            target: target.into(),
            command,
            request_id: None,
            origin: Origin::Client,
            settle: None,
            traceparent: Some(self.0),
        }
    }

    /// The value of a `traceparent` header.
    pub fn into_traceparent(self) -> String {
        self.0
    }

    /// The id of the trace, 32 hexadecimal digits.
    pub fn id(&self) -> &str {
        &self.0[3..35]
    }
}

/// The trace id and the flags of a valid header.
fn parse(header: &str) -> Option<(&str, &str)> {
    let mut parts = header.split('-');
    let (version, trace, parent, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hexadecimal = |text: &str, digits: usize| {
        text.len() == digits
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let set = |text: &str| text.bytes().any(|b| b != b'0');
    // A later version may say more behind the flags; ours may not.
    let end = match version {
        "ff" => return None,
        VERSION => parts.next().is_none(),
        _ => true,
    };
    let valid = end
        && hexadecimal(version, 2)
        && (hexadecimal(trace, 32) && set(trace))
        && (hexadecimal(parent, 16) && set(parent))
        && hexadecimal(flags, 2);
    valid.then_some((trace, flags))
}

impl<S: Send + Sync> FromRequestParts<S> for Trace {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let trace = parts.extensions.remove::<Self>();
        Ok(trace.expect("every request passes the edge, which gives it a trace"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seams::SystemIds;

    const GIVEN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn of(header: &str) -> Trace {
        Trace::continue_or_begin(Some(header), &SystemIds::default())
    }

    #[test]
    fn a_trace_that_is_named_is_gone_on_with_under_a_span_of_our_own() {
        let trace = of(GIVEN);
        assert_eq!(trace.id(), &GIVEN[3..35]);
        assert!(parse(trace.traceparent()).is_some(), "{trace:?}");
        assert_ne!(trace.traceparent(), GIVEN);
        let later = of(&GIVEN.replacen("00", "01", 1));
        assert_eq!(later.id(), &GIVEN[3..35]);
    }

    #[test]
    fn what_is_no_trace_begins_a_new_one() {
        let zeros = "0".repeat(32);
        for header in [
            "",
            "00",
            &GIVEN.to_uppercase(),
            &GIVEN.replacen("00", "ff", 1),
            &format!("{GIVEN}-more"),
            &GIVEN.replace(&GIVEN[3..35], &zeros),
            &GIVEN.replace(&GIVEN[36..52], &zeros[..16]),
            &GIVEN.replace("-01", "-1"),
            &"0".repeat(10_000),
        ] {
            let trace = of(header);
            assert_ne!(trace.id(), &GIVEN[3..35], "{header}");
            assert!(parse(trace.traceparent()).is_some(), "{trace:?}");
        }
    }
}
