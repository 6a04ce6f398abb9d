//! What a call answers, as JSON.

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// Room for most answers, in bytes: what grows is moved.
const USUAL: usize = 1024;

/// A value as the JSON body of an answer.
pub struct Answer<T>(pub T);

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        let mut json = Vec::with_capacity(USUAL);
        serde_json::to_writer(&mut json, &self.0).expect("what is answered is plain data");
        let json_type = HeaderValue::from_static("application/json");
        ([(header::CONTENT_TYPE, json_type)], json).into_response()
    }
}
