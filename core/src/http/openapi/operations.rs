//! Operations of the document, one for each line of the table of routes.

use crate::access::routes::{RouteAccess, RouteRule};
use crate::http::openapi::answers::{refused, success};
use crate::http::openapi::parameters::{correlation, header, parameters};
use serde_json::{Value, json};

/// Statuses by which any request may be refused.
const REFUSALS: [&str; 11] = [
    "400", "401", "403", "404", "408", "409", "413", "422", "429", "500", "503",
];

/// Describes the route.
pub(super) fn operation(rule: &RouteRule) -> Value {
    let mut responses = json!({});
    for status in REFUSALS {
        responses[status] = refused(status);
    }
    for (status, answer) in success(rule) {
        responses[status] = answer;
    }
    let mut described = json!({
        "operationId": operation_id(rule),
        "tags": [tag(rule.path)],
        "parameters": all_parameters(rule),
        "responses": responses,
        "security": security(rule),
    });
    if let Some(body) = body(rule) {
        described["requestBody"] = json!({
            "required": true,
            "content": { "application/json": { "schema": { "$ref": format!("#/components/schemas/{body}") } } },
        });
    }
    described
}

fn all_parameters(rule: &RouteRule) -> Vec<Value> {
    let mut all = parameters(rule);
    all.extend(correlation());
    if is_keyed(rule) {
        all.push(header(
            "idempotent-key",
            true,
            "The request's key, a UUIDv7 at best: the same key asks for the same order again. 1 to 64 letters, digits and _ - . :",
        ));
    }
    if let RouteAccess::Granted(_) = rule.access {
        all.push(header(
            "X-Account-Id",
            false,
            "The end user's account, from a client that is a gateway; from others it is refused.",
        ));
    }
    all
}

/// Tells whether the header's key makes the request idempotent.
fn is_keyed(rule: &RouteRule) -> bool {
    rule.method == "POST" && ["/withdraw", "/settlement", "/refund"].contains(&rule.path)
}

fn security(rule: &RouteRule) -> Value {
    match rule.access {
        // On loopback, a core without clients serves one that has no name.
        RouteAccess::Granted(_) => json!([{ "bearer": [] }, {}]),
        RouteAccess::SignedByChannel | RouteAccess::Open => json!([]),
    }
}

fn body(rule: &RouteRule) -> Option<&'static str> {
    match (rule.method, rule.path) {
        ("POST", "/withdraw") => Some("Withdraw"),
        ("POST", "/withdraw/submit") => Some("WithdrawSubmit"),
        ("POST", "/settlement") => Some("Settlement"),
        ("POST", "/refund") => Some("Refund"),
        ("POST", "/deposit") => Some("Deposit"),
        _ => None,
    }
}

/// Names the operation: `post_withdraw_id_cancel`.
fn operation_id(rule: &RouteRule) -> String {
    let words = rule.path.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    format!("{}_{}", rule.method.to_lowercase(), words.join("_"))
}

fn tag(path: &str) -> &str {
    path.split('/').nth(1).unwrap_or_default()
}
