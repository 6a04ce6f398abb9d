//! What a request says in its path and its query.

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use messages::{
    UserId,
    id::{Id, IdError},
};
use serde::de::DeserializeOwned;

use super::Problem;

/// The id in a path with one id.
#[derive(Clone, Copy, Debug)]
pub struct PathId<K>(pub Id<K>);

impl<S: Send + Sync, K> FromRequestParts<S> for PathId<K> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let wrong = || Problem::field("id", IdError.to_string());
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| wrong())?;
        text.parse().map(Self).map_err(|_| wrong())
    }
}

/// The user in a path with one user.
#[derive(Clone, Debug)]
pub struct PathUser(pub UserId);

impl<S: Send + Sync> FromRequestParts<S> for PathUser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let wrong = || Problem::field("userId", "must be 1 to 64 of [A-Za-z0-9_.:-]");
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| wrong())?;
        text.parse().map(Self).map_err(|_| wrong())
    }
}

/// The parameters of a query. Their type says which there are: it denies unknown fields.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match axum::extract::Query::<T>::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(wrong(&rejection.body_text())),
        }
    }
}

fn wrong(text: &str) -> Problem {
    let text = text
        .strip_prefix("Failed to deserialize query string: ")
        .unwrap_or(text);
    match text.split_once(": ") {
        Some((name, why)) if !name.contains(' ') => Problem::field(name, in_words(why)),
        _ => super::body::named(None, text),
    }
}

/// Whoever writes a query need not know how Rust reads a whole number from it.
fn in_words(why: &str) -> &str {
    match why {
        "invalid digit found in string" | "cannot parse integer from empty string" => {
            "must be a whole number, 0 or more"
        }
        "number too large to fit in target type" => "is too large",
        _ => why,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[derive(Debug, serde::Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        page: Option<u32>,
        status: Option<String>,
    }

    async fn read(query: &str) -> Result<Wanted, Problem> {
        let request = Request::get(format!("/things?{query}")).body(());
        let (mut parts, ()) = request.expect("a request").into_parts();
        let Query(wanted) = Query::from_request_parts(&mut parts, &()).await?;
        Ok(wanted)
    }

    #[tokio::test]
    async fn a_query_is_read() {
        let wanted = read("status=A%20B&page=3").await.expect("a query");
        assert_eq!(wanted.page, Some(3));
        assert_eq!(wanted.status.as_deref(), Some("A B"));
        assert_eq!(read("").await.expect("none").page, None);
    }

    #[tokio::test]
    async fn a_query_that_is_wrong_names_the_field() {
        let number = "must be a whole number, 0 or more";
        for (query, field, why) in [
            ("page=-1", "page", number),
            ("page=many", "page", number),
            ("page=", "page", number),
            ("page=99999999999", "page", "is too large"),
            ("pgae=1", "pgae", "unknown field `pgae`"),
            ("page=1&page=2", "page", "duplicate field `page`"),
        ] {
            let Err(Problem::Invalid { fields, .. }) = read(query).await else {
                panic!("{query} is taken");
            };
            let told = fields.get(field).and_then(serde_json::Value::as_str);
            let told = told.unwrap_or_default();
            assert!(told.starts_with(why), "{query}: {fields:?}");
        }
    }
}
