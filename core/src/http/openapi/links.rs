//! Links of answers: what can be asked about an order or a booking, by the ids of the answer
//! and of its request.

use serde_json::{Value, json};
use sluice_contract::order::OrderKind;

/// Lists what follows the booking that a request to `path` made.
pub(super) fn links(path: &str) -> Value {
    let kind = match path {
        "/withdraw" | "/withdraw/submit" => {
            Some((OrderKind::CashOut, "withdrawOrderId", "fromAccountId"))
        }
        "/settlement" => Some((OrderKind::Settlement, "settlementOrderId", "accountId")),
        "/refund" => Some((OrderKind::Refund, "refundOrderId", "accountId")),
        _ => None,
    };
    let mut all = json!({});
    for rest in ["", "/entries", "/statement.csv"] {
        let account = kind.map_or("accountId", |(_, _, account)| account);
        let operation = format!("get_accounts_id{}", words(rest));
        all[format!("account{}", words(rest))] =
            link(&operation, &format!("$request.body#/{account}"));
    }
    let Some((kind, id, _)) = kind else {
        return all;
    };
    for (method, rest) in [
        ("get", ""),
        ("get", "/history"),
        ("post", "/cancel"),
        ("post", "/ack"),
        ("post", "/renotify"),
    ] {
        let operation = format!("{method}_{}_id{}", kind.word(), words(rest));
        all[format!("order{}", words(rest))] =
            link(&operation, &format!("$response.body#/data/{id}"));
    }
    all
}

fn link(operation: &str, id: &str) -> Value {
    json!({ "operationId": operation, "parameters": { "id": id } })
}

fn words(rest: &str) -> String {
    rest.replace(['/', '.'], "_")
}
