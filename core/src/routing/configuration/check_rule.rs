//! Checks of a rule's texts and details.

use crate::routing::conditions::{CHANNEL_VARIABLE, CONDITION_VARIABLES};
use crate::routing::rows::{RoutingDetailValue, RoutingRuleRow};
use sluice_contract::ids::is_plain;

const MAX_LIST_MEMBERS: usize = 100_000;
const MAX_CONDITION_BYTES: usize = 2_000;
const MAX_TEXT_CHARS: usize = 190;
const MAX_NAME_LEN: usize = 32;

pub(super) fn check_texts(row: &RoutingRuleRow, wrong: &mut Vec<String>) {
    if !is_plain(&row.rule, MAX_NAME_LEN) {
        wrong.push(format!(
            "id: 1 to {MAX_NAME_LEN} letters, digits and _ - . :"
        ));
    }
    if row.condition.len() > MAX_CONDITION_BYTES {
        wrong.push(format!("condition: at most {MAX_CONDITION_BYTES} bytes"));
    }
    if row.message.is_empty() || row.message.chars().count() > MAX_TEXT_CHARS {
        wrong.push(format!(
            "message: 1 to {MAX_TEXT_CHARS} characters, what the order is told"
        ));
    }
}

pub(super) fn check_detail(name: &str, value: &RoutingDetailValue, wrong: &mut Vec<String>) {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let starts = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    if !starts || name.len() > MAX_NAME_LEN || !name.bytes().all(plain) {
        wrong.push(format!(
            "detail {name:?}: a name has 1 to {MAX_NAME_LEN} of a-z 0-9 _ and begins with a letter"
        ));
    }
    if CONDITION_VARIABLES.contains(&name) || name == CHANNEL_VARIABLE {
        wrong.push(format!(
            "detail {name:?}: that is what the order itself is called by, choose another name"
        ));
    }
    let texts: &[String] = match value {
        RoutingDetailValue::Text(text) => std::slice::from_ref(text),
        RoutingDetailValue::List(list) => list,
        RoutingDetailValue::Number(_) => &[],
    };
    if texts.len() > MAX_LIST_MEMBERS {
        wrong.push(format!(
            "detail {name}: {} members, at most {MAX_LIST_MEMBERS}",
            texts.len()
        ));
    }
    if let Some(long) = texts.iter().find(|t| t.chars().count() > MAX_TEXT_CHARS) {
        let begin: String = long.chars().take(20).collect();
        wrong.push(format!(
            "detail {name}: {begin:?}… is longer than {MAX_TEXT_CHARS} characters"
        ));
    }
}
