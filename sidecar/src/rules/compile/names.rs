//! Names in a rule's text, checked when it is loaded: a column, field, table or
//! parameter that is not there is refused now, not found out when money moves.
//! Where the kind of a variable is plain (what the trigger hands over, and what is
//! taken of it), its names are checked against that very table or event; elsewhere a
//! name must at least be one that something has.

use crate::rules::compile::method_names::{check_call, check_column};
use crate::rules::compile::params_used::check_params;
use crate::rules::compile::property_names::{
    ROW_NAMES, TRANSACTION_NAMES, WINDOW_NAMES, all_names, at_rest_names,
};
use crate::rules::compile::suggestions::{nearest, with_suggestions};
use crate::rules::compile::variables::{VariableKinds, object, variables};
use crate::rules::script::tokens::ScriptTokens;
use crate::rules::script::variable_kind::VariableKind;
use crate::rules::text::audit_facts::fact_name;
use crate::rules::text::header::RuleHeader;
use crate::rules::text::tables::CATALOG_TABLES;
use crate::rules::text::trigger_header::Trigger;
use crate::rules::views::event_view::EVENT_FIELDS;
use std::collections::BTreeSet;

/// Checks all names of a rule.
pub fn check(header: &RuleHeader, tokens: &ScriptTokens<'_>) -> Result<(), String> {
    check_params(header, tokens)?;
    let own = own_names(tokens);
    let functions = tokens.functions();
    for function in &functions {
        let variables = variables(&header.trigger, tokens, function);
        for at in function.open..function.close {
            if tokens.is(at, ".") || tokens.is(at, "?.") {
                check_name(&header.trigger, tokens, at, &variables, &own)?;
            }
        }
    }
    Ok(())
}

/// Names that the text itself gives to maps: `#{ name: 1 }`, `map.name = 1`.
fn own_names<'a>(tokens: &ScriptTokens<'a>) -> BTreeSet<&'a str> {
    let mut own = BTreeSet::new();
    for at in 0..tokens.all.len() {
        if tokens.is(at, "#{") || tokens.is(at, ",") {
            let name = tokens.word(at + 1).or_else(|| tokens.literal(at + 1));
            own.extend(name.filter(|_| tokens.is(at + 2, ":")));
        } else if tokens.is(at, ".") && tokens.is(at + 2, "=") {
            own.extend(tokens.word(at + 1));
        }
    }
    own
}

/// Checks the name after the point at `at`.
fn check_name(
    trigger: &Trigger,
    tokens: &ScriptTokens<'_>,
    at: usize,
    variables: &VariableKinds<'_>,
    own: &BTreeSet<&str>,
) -> Result<(), String> {
    let Some(name) = tokens.word(at + 1) else {
        return Ok(());
    };
    let line = tokens.line(at + 1);
    let what = object(tokens, at, variables);
    if tokens.is(at + 2, "(") {
        return check_call(tokens, at, what).map_err(|e| format!("line {line}: {e}"));
    }
    let known = |whose: &str, names: &[&str]| {
        if names.contains(&name) {
            return Ok(());
        }
        Err(format!(
            "line {line}: {whose} has no `{name}`{}",
            with_suggestions(name, names)
        ))
    };
    let has_it = match what {
        Some(VariableKind::Image(table)) => {
            check_column(&CATALOG_TABLES[table], name).map_err(|e| format!("line {line}: {e}"))
        }
        Some(VariableKind::Row(_)) => known("a row", &ROW_NAMES),
        Some(VariableKind::Tx) => known("a transaction", &TRANSACTION_NAMES),
        Some(VariableKind::Event) => known("an event", &EVENT_FIELDS),
        Some(VariableKind::AtRest(of)) => known(fact_name(of), &at_rest_names(of)),
        Some(VariableKind::Earlier) => known("a window", &WINDOW_NAMES),
        None if own.contains(name) => Ok(()),
        None => {
            let all = all_names();
            if all.binary_search(&name).is_ok() {
                return Ok(());
            }
            Err(format!(
                "line {line}: nothing has a column, field or property `{name}`{}",
                nearest(name, all)
            ))
        }
    };
    has_it?;
    let by_kind = what.map_or(Ok(()), |of| trigger.kind().check_name(of, name));
    by_kind.map_err(|e| format!("line {line}: {e}"))
}
