//! Problems: everything that an HTTP call can be answered besides what it asked for.
//!
//! Invariant: the answer tells a client what it may know; causes inside are logged where the
//! problem is made, and do not travel in it.

use std::fmt;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use messages::Refusal;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, value::RawValue};

use super::Answer;

/// After how many seconds a call that came at a bad time may be tried again.
const RETRY_AFTER_S: &str = "1";

/// Why a call is not answered with what it asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Problem {
    /// The request is malformed.
    Invalid {
        /// What is wrong, for a person.
        message: String,
        /// What is wrong with which field; empty where no field can be named.
        fields: Map<String, Value>,
    },
    /// A business "no".
    Refused {
        /// Why.
        refusal: Refusal,
        /// What a client may want to know besides.
        details: Known,
    },
    /// There is nothing at this path.
    NotFound,
    /// What is at this path does not know this method.
    MethodNotAllowed,
    /// The body did not arrive in time.
    TooSlow,
    /// The body is larger than [`super::around::BODY_BYTES_MAX`].
    TooLarge,
    /// The body is not said to be JSON.
    UnsupportedMediaType,
    /// At a limit, starting, stopping, or cut off from what is needed.
    RetryLater {
        /// What is missing, where that can be told.
        missing: Vec<String>,
    },
    /// A broken invariant.
    Internal,
}

/// What a client may want to know of a refusal: fields, and each as JSON that is written already.
#[derive(Clone, Debug, Default)]
pub struct Known(Vec<(&'static str, Box<RawValue>)>);

impl Known {
    fn add(&mut self, name: &'static str, detail: &impl Serialize) {
        let json = serde_json::value::to_raw_value(detail).expect("our types are always JSON");
        self.0.push((name, json));
    }

    fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, json)| (*name, json.get()))
    }
}

impl PartialEq for Known {
    fn eq(&self, other: &Self) -> bool {
        self.fields().eq(other.fields())
    }
}

impl Serialize for Known {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, json)| (name, json)))
    }
}

impl Problem {
    /// A request that is malformed as a whole.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid {
            message: message.into(),
            fields: Map::new(),
        }
    }

    /// A request with one field that is wrong.
    pub fn field(name: impl Into<String>, why: impl Into<String>) -> Self {
        let (name, why) = (name.into(), why.into());
        Self::Invalid {
            message: format!("{name}: {why}"),
            fields: Map::from_iter([(name, Value::String(why))]),
        }
    }

    /// A business "no" that comes with something a client may want to know besides.
    pub fn refused_with(refusal: Refusal, name: &'static str, detail: &impl Serialize) -> Self {
        let mut details = known(&refusal);
        details.add(name, detail);
        Self::Refused { refusal, details }
    }

    /// An entity gave an answer that belongs to another question.
    pub fn unexpected(reply: &impl fmt::Debug) -> Self {
        tracing::error!(?reply, "an entity answers what it was not asked");
        Self::Internal
    }

    /// The status of the answer.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Invalid { .. } => StatusCode::BAD_REQUEST,
            Self::Refused { refusal, .. } => refused(refusal),
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::RetryLater { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The code that programs go by.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "VALIDATION_ERROR",
            Self::Refused { refusal, .. } => refusal.code(),
            Self::NotFound => "NOT_FOUND",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::TooSlow => "REQUEST_TIMEOUT",
            Self::TooLarge => "PAYLOAD_TOO_LARGE",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::RetryLater { .. } => "RETRY_LATER",
            Self::Internal => "INTERNAL_ERROR",
        }
    }

    /// Whether the same call may succeed a little later; then the answer says when to try.
    pub const fn retryable(&self) -> bool {
        match self {
            Self::RetryLater { .. } => true,
            Self::Invalid { .. }
            | Self::Refused { .. }
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::TooSlow
            | Self::TooLarge
            | Self::UnsupportedMediaType
            | Self::Internal => false,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Invalid { message, .. } => message.clone(),
            Self::Refused { refusal, .. } => refusal.to_string(),
            Self::NotFound => "there is nothing at this path".into(),
            Self::MethodNotAllowed => "this path does not know this method".into(),
            Self::TooSlow => "the body did not arrive in time".into(),
            Self::TooLarge => "the body is larger than 1 MiB".into(),
            Self::UnsupportedMediaType => "the body must be application/json".into(),
            Self::RetryLater { .. } => "not available right now, try again".into(),
            Self::Internal => "something went wrong inside".into(),
        }
    }

    fn details(self) -> Option<Details> {
        match self {
            Self::Invalid { fields, .. } if !fields.is_empty() => Some(Details::Invalid { fields }),
            Self::Refused { details, .. } if !details.0.is_empty() => {
                Some(Details::Refused(details))
            }
            Self::RetryLater { missing } if !missing.is_empty() => {
                Some(Details::RetryLater { missing })
            }
            _ => None,
        }
    }
}

/// The status of a business "no".
const fn refused(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::InsufficientStock { .. }
        | Refusal::InsufficientPoints { .. }
        | Refusal::CouponNotUsable { .. }
        | Refusal::PaymentExpired
        | Refusal::ProductDiscontinued
        | Refusal::AlreadyReleased
        | Refusal::InvalidState { .. }
        | Refusal::AmountTooLarge => StatusCode::BAD_REQUEST,
        Refusal::PaymentDeclined { .. }
        | Refusal::PaymentMismatch { .. }
        | Refusal::PaymentNotFound => StatusCode::PAYMENT_REQUIRED,
        Refusal::ProductNotFound | Refusal::OrderNotFound | Refusal::CouponNotFound => {
            StatusCode::NOT_FOUND
        }
        Refusal::CouponExhausted | Refusal::CouponAlreadyIssued => StatusCode::CONFLICT,
        Refusal::RequestMismatch => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::DependencyFailed => StatusCode::FAILED_DEPENDENCY,
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let details = known(&refusal);
        Self::Refused { refusal, details }
    }
}

/// What the refusal itself says in numbers.
fn known(refusal: &Refusal) -> Known {
    let numbers = match refusal {
        Refusal::InsufficientStock {
            available,
            requested,
        }
        | Refusal::InsufficientPoints {
            available,
            requested,
        } => [("available", available), ("requested", requested)],
        Refusal::PaymentMismatch { due, paid } => [("due", due), ("paid", paid)],
        _ => return Known::default(),
    };
    let mut known = Known::default();
    for (name, number) in numbers {
        known.add(name, number);
    }
    known
}

/// What a client may want to know besides.
#[derive(Serialize)]
#[serde(untagged)]
enum Details {
    Invalid { fields: Map<String, Value> },
    Refused(Known),
    RetryLater { missing: Vec<String> },
}

#[derive(Serialize)]
struct Body {
    error: &'static str,
    message: String,
    details: Option<Details>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, retryable) = (self.status(), self.retryable());
        let body = Body {
            error: self.code(),
            message: self.message(),
            details: self.details(),
        };
        let mut response = (status, Answer(body)).into_response();
        if retryable {
            let after = HeaderValue::from_static(RETRY_AFTER_S);
            response.headers_mut().insert(header::RETRY_AFTER, after);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreFault;

    #[test]
    fn every_refusal_has_the_documented_status_and_code() {
        let refusals = [
            (
                Refusal::InsufficientStock {
                    available: 2,
                    requested: 3,
                },
                400,
                "INSUFFICIENT_STOCK",
            ),
            (
                Refusal::InsufficientPoints {
                    available: 2,
                    requested: 3,
                },
                400,
                "INSUFFICIENT_POINTS",
            ),
            (Refusal::CouponNotFound, 404, "COUPON_NOT_FOUND"),
            (
                Refusal::CouponNotUsable {
                    reason: "it has expired".into(),
                },
                400,
                "COUPON_NOT_USABLE",
            ),
            (Refusal::CouponExhausted, 409, "COUPON_EXHAUSTED"),
            (Refusal::CouponAlreadyIssued, 409, "COUPON_ALREADY_ISSUED"),
            (
                Refusal::PaymentDeclined {
                    reason: "no cover".into(),
                },
                402,
                "PAYMENT_DECLINED",
            ),
            (
                Refusal::PaymentMismatch { due: 3, paid: 2 },
                402,
                "PAYMENT_MISMATCH",
            ),
            (Refusal::PaymentNotFound, 402, "PAYMENT_NOT_FOUND"),
            (Refusal::PaymentExpired, 400, "PAYMENT_EXPIRED"),
            (Refusal::ProductDiscontinued, 400, "PRODUCT_DISCONTINUED"),
            (Refusal::ProductNotFound, 404, "PRODUCT_NOT_FOUND"),
            (Refusal::OrderNotFound, 404, "ORDER_NOT_FOUND"),
            (Refusal::RequestMismatch, 422, "REQUEST_MISMATCH"),
            (Refusal::AlreadyReleased, 400, "INVALID_STATE"),
            (
                Refusal::InvalidState {
                    reason: "the order is pending".into(),
                },
                400,
                "INVALID_STATE",
            ),
            (Refusal::DependencyFailed, 424, "DEPENDENCY_FAILED"),
            (Refusal::AmountTooLarge, 400, "VALIDATION_ERROR"),
        ];
        for (refusal, status, code) in refusals {
            let problem = Problem::from(refusal);
            assert_eq!((problem.status().as_u16(), problem.code()), (status, code));
            assert!(!problem.retryable());
        }
    }

    #[test]
    fn every_other_problem_has_the_documented_status_and_code() {
        let later = Problem::RetryLater {
            missing: Vec::new(),
        };
        for (problem, status, code) in [
            (Problem::invalid("no"), 400, "VALIDATION_ERROR"),
            (Problem::NotFound, 404, "NOT_FOUND"),
            (Problem::MethodNotAllowed, 405, "METHOD_NOT_ALLOWED"),
            (Problem::TooSlow, 408, "REQUEST_TIMEOUT"),
            (Problem::TooLarge, 413, "PAYLOAD_TOO_LARGE"),
            (Problem::UnsupportedMediaType, 415, "UNSUPPORTED_MEDIA_TYPE"),
            (later, 503, "RETRY_LATER"),
            (Problem::Internal, 500, "INTERNAL_ERROR"),
        ] {
            assert_eq!((problem.status().as_u16(), problem.code()), (status, code));
            assert_eq!(problem.retryable(), status == 503);
            let retry_after = problem
                .into_response()
                .headers()
                .contains_key("retry-after");
            assert_eq!(retry_after, status == 503);
        }
    }

    #[test]
    fn a_refusal_for_want_of_stock_tells_how_much_there_is() {
        let problem = Problem::from(Refusal::InsufficientStock {
            available: 2,
            requested: 3,
        });
        let details = serde_json::to_value(problem.details()).expect("JSON");
        assert_eq!(details, serde_json::json!({"available": 2, "requested": 3}));
    }

    #[test]
    fn a_refusal_comes_with_what_it_is_about() {
        let refusal = Refusal::InsufficientPoints {
            available: 2,
            requested: 3,
        };
        let problem = Problem::refused_with(refusal, "order", &serde_json::json!({"id": "o-1"}));
        assert_eq!(problem, problem.clone());
        let details = serde_json::to_value(problem.details()).expect("JSON");
        assert_eq!(
            details,
            serde_json::json!({"available": 2, "requested": 3, "order": {"id": "o-1"}})
        );
    }

    #[test]
    fn causes_inside_do_not_leave() {
        let problem = Problem::from(StoreFault::Unreachable("postgres://secret".into()));
        assert_eq!(problem.message(), "not available right now, try again");
        assert!(problem.details().is_none());
    }
}
