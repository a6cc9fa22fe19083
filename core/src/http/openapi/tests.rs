use super::*;
use crate::http::captured::{RefundBody, SettlementBody};
use crate::http::deposits::DepositBody;
use crate::http::withdrawals::WithdrawBody;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;

/// `METHOD path` of every operation.
fn operations_in_document() -> BTreeSet<String> {
    let document = document();
    let mut all = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            all.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    all
}

/// All routes but the channels' own: what they say is no matter of callers.
#[test]
fn the_document_lists_the_routes_and_no_others() {
    let for_callers = ROUTES
        .iter()
        .filter(|rule| rule.access != RouteAccess::SignedByChannel);
    let served: BTreeSet<String> = for_callers
        .map(|rule| format!("{} {}", rule.method, rule.path))
        .collect();
    assert!(served.len() > 20 && served.len() < ROUTES.len());
    assert_eq!(operations_in_document(), served);
}

/// Fields that the body's own reader knows, out of its refusal of one that it doesn't.
fn fields_of<T: DeserializeOwned>() -> BTreeSet<String> {
    let refusal = serde_json::from_str::<T>(r#"{"?":1}"#)
        .err()
        .unwrap()
        .to_string();
    let known = refusal.split_once("expected one of").unwrap().1;
    let names = known.split('`').skip(1).step_by(2);
    names.map(str::to_owned).collect()
}

#[test]
fn bodies_have_the_fields_that_are_read_and_no_others() {
    let document = document();
    for (name, read) in [
        ("Withdraw", fields_of::<WithdrawBody>()),
        ("WithdrawSubmit", fields_of::<WithdrawBody>()),
        ("Settlement", fields_of::<SettlementBody>()),
        ("Refund", fields_of::<RefundBody>()),
        ("Deposit", fields_of::<DepositBody>()),
    ] {
        let schema = &document["components"]["schemas"][name];
        let told = schema["properties"].as_object().unwrap().keys();
        assert_eq!(told.cloned().collect::<BTreeSet<_>>(), read, "{name}");
    }
}

#[test]
fn every_name_that_is_referred_to_is_there() {
    let document = document();
    let mut open = vec![&document];
    let mut count = 0;
    while let Some(value) = open.pop() {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(name)) = fields.get("$ref") {
                    let found = document.pointer(name.strip_prefix('#').unwrap());
                    assert!(found.is_some(), "{name}");
                    count += 1;
                }
                open.extend(fields.values());
            }
            Value::Array(items) => open.extend(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    assert!(count > 100, "only {count}");
}

#[test]
fn operations_have_names_of_their_own() {
    let document = document();
    let paths = document["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|p| p.as_object().unwrap().values());
    let names: Vec<_> = operations.map(|o| o["operationId"].to_string()).collect();
    let unique: BTreeSet<_> = names.iter().collect();
    assert_eq!(unique.len(), names.len(), "{names:?}");
}

#[test]
fn links_lead_to_operations_that_are_there() {
    let document = document();
    let paths = document["paths"].as_object().unwrap().values();
    let operations: Vec<&Value> = paths
        .flat_map(|p| p.as_object().unwrap().values())
        .collect();
    let names: BTreeSet<&str> = operations
        .iter()
        .filter_map(|o| o["operationId"].as_str())
        .collect();
    let answers = operations
        .iter()
        .filter_map(|o| o["responses"]["202"]["links"].as_object());
    let linked: BTreeSet<&str> = answers
        .flat_map(|links| links.values())
        .filter_map(|link| link["operationId"].as_str())
        .collect();
    assert!(linked.is_subset(&names), "{linked:?}");
    assert_eq!(linked.len(), 3 * 5 + 3, "{linked:?}");
}
