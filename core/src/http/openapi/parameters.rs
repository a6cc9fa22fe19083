//! Parameters of operations.

use crate::access::routes::RouteRule;
use crate::ledger::ACCOUNT_BOOKS;
use serde_json::{Value, json};
use sluice_contract::money::Currency;

/// Lists what stands in the route's path and query.
pub(super) fn parameters(rule: &RouteRule) -> Vec<Value> {
    let mut all = in_path(rule.path);
    let in_query: Vec<(&str, Value)> = match (rule.method, rule.path) {
        ("GET", "/withdraw") => vec![
            ("transactionId", text()),
            ("serialNo", text()),
            ("key", text()),
            ("bizNo", text()),
            (
                "after",
                json!({ "type": "string", "pattern": "^([0-9A-Fa-f]{32})?$" }),
            ),
            ("limit", limit(500)),
        ],
        ("GET", "/accounts/{id}/entries") => vec![
            ("currency", currency()),
            ("after", text()),
            ("limit", limit(1_000)),
        ],
        ("GET", "/accounts/{id}/statement.csv") => vec![
            ("currency", currency()),
            ("from", instant()),
            ("to", instant()),
            ("book", json!({ "enum": ACCOUNT_BOOKS })),
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
    let known = |name: &str| match path.starts_with("/accounts/") {
        true => json!({ "name": name, "in": "path", "required": true, "schema": account_id() }),
        false => json!({ "name": name, "in": "path", "required": true, "schema": order_id() }),
    };
    names.map(known).collect()
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn currency() -> Value {
    let codes: Vec<&str> = Currency::codes().collect();
    json!({ "enum": codes })
}

fn instant() -> Value {
    json!({ "type": "string", "pattern": "^([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{1,18})$",
            "examples": ["2026-11-21"], "description": "A UTC date, or microseconds since 1970." })
}

fn account_id() -> Value {
    json!({ "type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,32}$" })
}

fn order_id() -> Value {
    json!({ "type": "string", "pattern": "^[0-9a-f]{32}$" })
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
