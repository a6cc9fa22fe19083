//! Parameters of operations.

use crate::access::routes::RouteRule;
use serde_json::{Value, json};

/// Lists what stands in the route's path and query.
pub(super) fn parameters(rule: &RouteRule) -> Vec<Value> {
    let mut all = in_path(rule.path);
    let in_query: Vec<(&str, Value)> = match (rule.method, rule.path) {
        ("GET", "/withdraw") => vec![
            ("transactionId", json!({ "type": "string" })),
            ("serialNo", json!({ "type": "string" })),
            ("key", json!({ "type": "string" })),
            ("bizNo", json!({ "type": "string" })),
            ("after", json!({ "type": "string" })),
            ("limit", limit(500)),
        ],
        ("GET", "/accounts/{id}/entries") => vec![
            ("currency", json!({ "type": "string" })),
            ("after", json!({ "type": "string" })),
            ("limit", limit(1_000)),
        ],
        ("GET", "/accounts/{id}/statement.csv") => vec![
            ("currency", json!({ "type": "string" })),
            ("from", json!({ "type": "string" })),
            ("to", json!({ "type": "string" })),
            ("book", json!({ "type": "string" })),
        ],
        _ => Vec::new(),
    };
    for (name, schema) in in_query {
        all.push(json!({ "name": name, "in": "query", "required": false, "schema": schema }));
    }
    all
}

fn limit(most: u32) -> Value {
    json!({ "type": "integer", "minimum": 1, "maximum": most })
}

fn in_path(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|part| {
        let name = part.strip_prefix('{')?;
        name.strip_suffix('}')
    });
    let text = json!({ "type": "string", "minLength": 1 });
    names
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": text }))
        .collect()
}

/// Describes a header. Its characters are checked by the server; the schema says text.
pub(super) fn header(name: &str, required: bool, description: &str) -> Value {
    json!({ "name": name, "in": "header", "required": required, "description": description,
            "schema": { "type": "string" } })
}

/// Headers by which a request is followed; what is malformed counts as missing.
pub(super) fn correlation() -> [Value; 2] {
    [
        header(
            "X-Correlation-Id",
            false,
            "1 to 64 letters, digits and _ - . : that logs, events and channel calls name the request by.",
        ),
        header("traceparent", false, "The caller's W3C trace."),
    ]
}
