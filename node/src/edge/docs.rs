//! The API's own description, and a page to read and try it, with everything it needs inside.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::Path,
    http::header,
    response::{Html, IntoResponse, Response},
    routing::get,
};
use utoipa::{
    PartialSchema as _, ToSchema as _,
    openapi::{InfoBuilder, OpenApi},
};

use super::{Problem, documented};

/// Every address is relative, so that the page works behind a prefix; nothing is fetched from
/// elsewhere, the validator's badge included.
const PAGE: &str = r##"<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>Onhand</title>
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <link rel="stylesheet" href="docs/swagger-ui.css">
    <link rel="icon" type="image/png" href="docs/favicon-32x32.png">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="docs/swagger-ui-bundle.js"></script>
    <script>
      SwaggerUIBundle({
        url: "openapi.json",
        dom_id: "#swagger-ui",
        deepLinking: true,
        validatorUrl: null,
        presets: [SwaggerUIBundle.presets.apis],
      });
    </script>
  </body>
</html>
"##;

/// Completes a description: its title, what belongs together, and the form of every error.
#[must_use]
pub fn describe(mut api: OpenApi, title: &str) -> OpenApi {
    api.info = InfoBuilder::new()
        .title(title)
        .version(env!("CARGO_PKG_VERSION"))
        .build();
    for (path, item) in &mut api.paths.paths {
        let group = path.split('/').nth(1).unwrap_or_default();
        let calls = [
            &mut item.get,
            &mut item.post,
            &mut item.put,
            &mut item.patch,
            &mut item.delete,
        ];
        for call in calls.into_iter().flatten() {
            call.tags = Some(vec![group.to_owned()]);
        }
    }
    let components = api.components.get_or_insert_default();
    let name = documented::Error::name().into_owned();
    components.schemas.insert(name, documented::Error::schema());
    api
}

const DOCUMENT: &str = "/openapi.json";
const DOCS: &str = "/docs";

/// Whether this is a part of the documentation.
pub(super) fn has(path: &str) -> bool {
    let below = |rest: &str| rest.is_empty() || rest.starts_with('/');
    path == DOCUMENT || path.strip_prefix(DOCS).is_some_and(below)
}

/// The document, the page, and what that is made of.
pub(super) fn router(api: &OpenApi) -> Router {
    let document = Bytes::from(api.to_json().expect("a description is always JSON"));
    let files = Arc::new(utoipa_swagger_ui::Config::from("openapi.json"));
    Router::new()
        .route(
            DOCUMENT,
            get(async move || {
                (
                    [(header::CONTENT_TYPE, "application/json")],
                    document.clone(),
                )
            }),
        )
        .route(DOCS, get(async || Html(PAGE)))
        .route(
            "/docs/{file}",
            get(async move |Path(name): Path<String>| file(&name, Arc::clone(&files))),
        )
}

fn file(name: &str, config: Arc<utoipa_swagger_ui::Config<'static>>) -> Response {
    match utoipa_swagger_ui::serve(name, config) {
        Ok(Some(file)) => {
            let headers = [
                (header::CONTENT_TYPE, file.content_type.clone()),
                (header::CACHE_CONTROL, "max-age=3600".to_owned()),
            ];
            (headers, file.bytes.into_owned()).into_response()
        }
        Ok(None) => Problem::NotFound.into_response(),
        Err(error) => {
            tracing::error!(error, "a file of the documentation cannot be served");
            Problem::Internal.into_response()
        }
    }
}
