//! The error answers as the OpenAPI document lists them, one set a sort of call.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::{
    IntoResponses, ToSchema,
    openapi::{ContentBuilder, Header, Ref, RefOr, Response, ResponseBuilder},
};

/// The form of every error.
#[derive(ToSchema)]
#[expect(dead_code, reason = "says in the document what `Problem` writes")]
#[expect(clippy::struct_field_names, reason = "the contract names the field so")]
pub struct Error {
    /// The code that programs go by.
    #[schema(example = "INSUFFICIENT_STOCK")]
    error: String,
    /// What happened, for a person.
    #[schema(example = "only 2 left, 3 asked for")]
    message: String,
    /// What belongs to it: `fields` of a malformed request, the failed `order`, what is `missing`.
    #[schema(nullable, value_type = Object)]
    details: Option<Value>,
}

/// Everything that answers one entity may be answered by these errors.
pub struct Read;
/// The errors of a list.
pub struct List;
/// The errors of a call that makes something.
pub struct Create;
/// The errors of a call that changes something.
pub struct Change;
/// The errors of a call that changes something of which there are only so many.
pub struct FirstCome;

const READ: [u16; 4] = [400, 404, 500, 503];
const LIST: [u16; 3] = [400, 500, 503];
const CREATE: [u16; 7] = [400, 408, 413, 415, 422, 500, 503];
const CHANGE: [u16; 8] = [400, 404, 408, 413, 415, 422, 500, 503];
const FIRST_COME: [u16; 9] = [400, 404, 408, 409, 413, 415, 422, 500, 503];

impl IntoResponses for Read {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        errors(&READ)
    }
}
impl IntoResponses for List {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        errors(&LIST)
    }
}
impl IntoResponses for Create {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        errors(&CREATE)
    }
}
impl IntoResponses for Change {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        errors(&CHANGE)
    }
}
impl IntoResponses for FirstCome {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        errors(&FIRST_COME)
    }
}

fn errors(statuses: &[u16]) -> BTreeMap<String, RefOr<Response>> {
    statuses
        .iter()
        .map(|status| (status.to_string(), RefOr::T(error(*status))))
        .collect()
}

fn error(status: u16) -> Response {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Error")))
        .build();
    let response = ResponseBuilder::new()
        .description(why(status))
        .content("application/json", content);
    if status == 503 {
        return response.header("Retry-After", Header::default()).build();
    }
    response.build()
}

const fn why(status: u16) -> &'static str {
    match status {
        400 => "VALIDATION_ERROR, or a business refusal",
        404 => "the NOT_FOUND family",
        408 => "REQUEST_TIMEOUT: the body did not arrive in time",
        409 => "first come, first served, and too late",
        413 => "PAYLOAD_TOO_LARGE: over 1 MiB",
        415 => "UNSUPPORTED_MEDIA_TYPE: the body is no JSON by its content type",
        422 => "REQUEST_MISMATCH: the idempotency key was used with another body",
        503 => "RETRY_LATER: at a limit, starting, or stopping",
        _ => "INTERNAL_ERROR",
    }
}
