//! Variables of a rule's functions, by the kind of what they hold.

use crate::rules::script::tokens::{ScriptFunction, ScriptTokens};
use crate::rules::script::variable_kind::VariableKind;
use crate::rules::text::tables;
use crate::rules::text::trigger_header::Trigger;
use std::collections::BTreeMap;

/// Variables of a function whose kind is plain, by name.
pub type VariableKinds<'a> = BTreeMap<&'a str, VariableKind>;

/// Variables of a function whose kind is plain: a name that is given twice is not.
pub fn variables<'a>(
    trigger: &Trigger,
    tokens: &ScriptTokens<'a>,
    function: &ScriptFunction<'a>,
) -> VariableKinds<'a> {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    let mut known = parameters(trigger, function);
    for param in &function.params {
        *times.entry(param).or_default() += 1;
    }
    for at in function.open..function.close {
        for name in names_given(tokens, at, function.close) {
            *times.entry(name).or_default() += 1;
        }
        if let Some((name, kind)) = declared_kind(tokens, at, &known) {
            known.insert(name, kind);
        }
    }
    known.retain(|name, _| times.get(name).is_none_or(|times| *times == 1));
    known
}

/// Parameters of a function that the trigger calls; another function's are not known.
fn parameters<'a>(trigger: &Trigger, function: &ScriptFunction<'a>) -> VariableKinds<'a> {
    let called = trigger.kind().functions();
    let called = called.into_iter().find(|f| f.name == function.name);
    let kinds = called.map(|f| f.parameters).unwrap_or_default();
    let named = function.params.iter().zip(kinds);
    named
        .filter_map(|(param, kind)| Some((*param, kind?)))
        .collect()
}

/// Names that the token at `at` declares or sets: `let`, `for`, a closure's parameters, `=`.
fn names_given<'a>(tokens: &ScriptTokens<'a>, at: usize, close: usize) -> Vec<&'a str> {
    let declares = tokens.is(at, "let") || tokens.is(at, "const") || tokens.is(at, "for");
    let places: Vec<usize> = if declares {
        vec![at + 1 + usize::from(tokens.is(at + 1, "("))]
    } else if tokens.is(at, "|") {
        let parameters = (at + 1..close).take_while(|p| !tokens.is(*p, "|"));
        parameters.take(4).collect()
    } else if tokens.is(at + 1, "=") && !tokens.is(at.wrapping_sub(1), ".") {
        let declared =
            tokens.is(at.wrapping_sub(1), "let") || tokens.is(at.wrapping_sub(1), "const");
        if declared { Vec::new() } else { vec![at] }
    } else {
        Vec::new()
    };
    places.into_iter().filter_map(|p| tokens.word(p)).collect()
}

/// `let now = row.after;` and `for row in tx.rows("orders")`.
fn declared_kind<'a>(
    tokens: &ScriptTokens<'a>,
    at: usize,
    known: &VariableKinds<'a>,
) -> Option<(&'a str, VariableKind)> {
    let name = tokens.word(at + 1)?;
    let of = known.get(tokens.word(at + 3)?).copied()?;
    let member = tokens.word(at + 5).filter(|_| tokens.is(at + 4, "."))?;
    match of {
        VariableKind::Row(table) => {
            let is_let = tokens.is(at, "let") && tokens.is(at + 2, "=") && tokens.is(at + 6, ";");
            (is_let && is_image(member)).then_some((name, VariableKind::Image(table)))
        }
        VariableKind::Tx => {
            let is_loop = tokens.is(at, "for") && tokens.is(at + 2, "in") && member == "rows";
            let closed = is_loop && tokens.is(at + 6, "(") && tokens.is(at + 8, ")");
            let rows = tokens.literal(at + 7).filter(|_| closed)?;
            Some((name, VariableKind::Row(tables::find(rows)?)))
        }
        VariableKind::Image(_)
        | VariableKind::Event
        | VariableKind::Earlier
        | VariableKind::AtRest(_) => None,
    }
}

fn is_image(member: &str) -> bool {
    matches!(member, "after" | "before")
}

/// The kind of what stands before the point at `at`, if that is plain.
pub fn object(
    tokens: &ScriptTokens<'_>,
    at: usize,
    variables: &VariableKinds<'_>,
) -> Option<VariableKind> {
    let before = at.checked_sub(1)?;
    let word = tokens.word(before)?;
    let chained = before
        .checked_sub(1)
        .is_some_and(|p| tokens.is(p, ".") || tokens.is(p, "?."));
    if !chained {
        return variables.get(word).copied();
    }
    let root = before.checked_sub(2)?;
    let rooted = root
        .checked_sub(1)
        .is_none_or(|p| !tokens.is(p, ".") && !tokens.is(p, "?."));
    match variables.get(tokens.word(root).filter(|_| rooted)?)? {
        VariableKind::Row(table) => is_image(word).then_some(VariableKind::Image(*table)),
        VariableKind::Image(_)
        | VariableKind::Event
        | VariableKind::Tx
        | VariableKind::Earlier
        | VariableKind::AtRest(_) => None,
    }
}
