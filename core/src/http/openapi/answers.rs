//! Answers of operations: `{code, msg, data}`, but for a statement and this document.

use crate::access::routes::RouteRule;
use crate::http::openapi::links::links;
use serde_json::{Value, json};

/// Lists the answers of the route's success.
pub(super) fn success(rule: &RouteRule) -> Vec<(&'static str, Value)> {
    let tail = rule.path.rsplit('/').next().unwrap_or_default();
    match (rule.method, tail) {
        ("POST", "withdraw" | "submit" | "settlement" | "refund" | "deposit") => {
            vec![("202", booked(rule))]
        }
        ("POST", "cancel" | "ack" | "renotify") => vec![
            ("200", answer("done", data("Acted"))),
            ("202", answer("under way", data("Acted"))),
        ],
        (_, "withdraw") => vec![("200", answer("a page of orders", data("Orders")))],
        (_, "history") => vec![("200", answer("oldest first", data("History")))],
        (_, "entries") => vec![("200", answer("a page of entries", data("Entries")))],
        (_, "statement.csv") => vec![("200", statement())],
        (_, "openapi.json") => vec![("200", document())],
        _ if rule.path.starts_with("/accounts/") => {
            vec![("200", answer("its balances", data("Account")))]
        }
        _ => vec![("200", answer("the order", data("Order")))],
    }
}

fn data(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn headers() -> Value {
    json!({ "X-Correlation-Id": { "required": true, "schema": { "type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,64}$" } } })
}

fn answer(description: &str, data: Value) -> Value {
    let schema = json!({
        "type": "object",
        "required": ["code", "msg", "data"],
        "properties": { "code": { "const": 0 }, "msg": { "type": "string" }, "data": data },
    });
    json!({ "description": description, "headers": headers(),
            "content": { "application/json": { "schema": schema } } })
}

fn booked(rule: &RouteRule) -> Value {
    let mut booked = answer("booked once under its key", data("Booked"));
    booked["headers"]["Idempotent-Replayed"] = json!({
        "description": "The key was used before: this is the first answer again.",
        "schema": { "const": "true" },
    });
    booked["links"] = links(rule.path);
    booked
}

fn statement() -> Value {
    json!({ "description": "CSV, a line for each entry with the running balance", "headers": headers(),
            "content": { "text/csv": { "schema": { "type": "string" } } } })
}

fn document() -> Value {
    json!({ "description": "this document", "headers": headers(),
            "content": { "application/json": { "schema": { "type": "object" } } } })
}

/// Names the refusal of a status.
pub(super) fn refused(status: &str) -> Value {
    json!({ "$ref": format!("#/components/responses/{status}") })
}

/// Describes all refusals, by status.
pub(super) fn refusals() -> Value {
    let mut all = json!({});
    for (status, description, retries) in [
        ("400", "a field or header is missing or wrong", false),
        ("401", "no client, or none that is known", false),
        ("403", "not among what the caller may do", false),
        ("404", "no such thing, or another's", false),
        ("408", "the request did not arrive in time", false),
        ("409", "under way, or too late", true),
        ("413", "the body is too large", false),
        ("422", "well-formed, and not to be booked", false),
        ("429", "too often", true),
        (
            "500",
            "an internal error; a repeat under the same key is safe",
            false,
        ),
        (
            "503",
            "overloaded, or a server is away; a repeat is safe",
            true,
        ),
    ] {
        let mut headers = headers();
        if retries {
            headers["Retry-After"] =
                json!({ "schema": { "type": "string", "pattern": "^[0-9]+$" } });
        }
        all[status] = json!({ "description": description, "headers": headers,
            "content": { "application/json": { "schema": data("Refusal") } } });
    }
    all
}
