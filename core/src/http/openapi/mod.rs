//! The OpenAPI 3.1 document of the public listener, at `/openapi.json`. Its paths are made
//! from the table of routes, so that it lists those that are served and no others.

mod answers;
mod bodies;
mod links;
mod operations;
mod parameters;

#[cfg(test)]
mod tests;

use crate::access::routes::{ROUTES, RouteAccess, RouteRule};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

static DOCUMENT: LazyLock<String> = LazyLock::new(|| document().to_string());

/// `GET /openapi.json`.
pub async fn openapi() -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (json, DOCUMENT.as_str()).into_response()
}

/// Makes the document.
pub fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Sluice, the withdrawal core",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "description": "Answers are {code, msg, data} with true statuses. Amounts are in major units of their currency, as text or as a JSON number whose digits are kept. Times end in Us: microseconds since 1970 UTC.",
        },
        "paths": paths(),
        "components": {
            "schemas": bodies::schemas(),
            "responses": answers::refusals(),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A client's token, or an OAuth 2.0 access token of an end user.",
                },
            },
        },
    })
}

/// Routes for callers. Channels have a protocol of their own.
fn described() -> impl Iterator<Item = &'static RouteRule> {
    let rules = ROUTES.iter();
    rules.filter(|rule| rule.access != RouteAccess::SignedByChannel)
}

fn paths() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for rule in described() {
        let of_path = paths.entry(rule.path).or_insert_with(|| json!({}));
        of_path[rule.method.to_lowercase()] = operations::operation(rule);
    }
    Value::Object(paths)
}
