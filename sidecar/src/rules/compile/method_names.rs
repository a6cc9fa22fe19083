//! Methods in a rule's text: their names, and the tables and columns they are given.

use crate::rules::compile::suggestions::with_suggestions;
use crate::rules::script::tokens::ScriptTokens;
use crate::rules::script::variable_kind::VariableKind;
use crate::rules::text::tables::{self, CATALOG_TABLES, CatalogTable, ColumnKind};

/// Checks a method of something plain, and the tables and columns that it is given.
pub fn check_call(
    tokens: &ScriptTokens<'_>,
    at: usize,
    what: Option<VariableKind>,
) -> Result<(), String> {
    let name = tokens.text(at + 1);
    let first = at + 3;
    match what {
        Some(VariableKind::Row(table)) if name == "changed" => match tokens.literal(first) {
            Some(wanted) => check_column(&CATALOG_TABLES[table], wanted),
            None => Ok(()),
        },
        Some(VariableKind::Tx) => check_transaction_call(tokens, name, first),
        Some(VariableKind::Earlier) if name != "seen" => Err(format!(
            "a window has no `{name}(…)`{}",
            with_suggestions(name, &["seen"])
        )),
        Some(
            VariableKind::Row(_)
            | VariableKind::Earlier
            | VariableKind::Image(_)
            | VariableKind::Event
            | VariableKind::AtRest(_),
        )
        | None => Ok(()),
    }
}

/// Checks a method of a transaction, whose arguments begin at `first`.
fn check_transaction_call(
    tokens: &ScriptTokens<'_>,
    name: &str,
    first: usize,
) -> Result<(), String> {
    let methods = ["touches", "rows", "net", "moves"];
    if !methods.contains(&name) {
        return Err(format!(
            "a transaction has no `{name}(…)`{}",
            with_suggestions(name, &methods)
        ));
    }
    let Some(wanted) = tokens.literal(first) else {
        return Ok(());
    };
    let names: Vec<&str> = CATALOG_TABLES.iter().map(|t| t.name).collect();
    let found = tables::find(wanted).ok_or_else(|| {
        format!(
            "\"{wanted}\" is not a watched table{}",
            with_suggestions(wanted, &names)
        )
    })?;
    check_columns(tokens, first + 2, &CATALOG_TABLES[found], name)
}

/// Columns in `["key", …], #{ column: … }` and `["key", …], "column"`, from `at` on.
fn check_columns(
    tokens: &ScriptTokens<'_>,
    at: usize,
    known: &CatalogTable,
    method: &str,
) -> Result<(), String> {
    let Some(end) = tokens.closing(at).filter(|_| tokens.is(at, "[")) else {
        return Ok(());
    };
    for place in at..end {
        if let Some(wanted) = tokens.literal(place) {
            check_column(known, wanted)?;
        }
    }
    let next = end + 2;
    if method == "moves" {
        let Some(wanted) = tokens.literal(next) else {
            return Ok(());
        };
        check_column(known, wanted)?;
        return match known.column(wanted) {
            Some(ColumnKind::Money) => Ok(()),
            _ => Err(format!("{wanted} of {} is not an amount", known.name)),
        };
    }
    let Some(end) = tokens.closing(next).filter(|_| tokens.is(next, "#{")) else {
        return Ok(());
    };
    for place in next..end {
        if (tokens.is(place, "#{") || tokens.is(place, ",")) && tokens.is(place + 2, ":") {
            tokens
                .word(place + 1)
                .map_or(Ok(()), |wanted| check_column(known, wanted))?;
        }
    }
    Ok(())
}

pub fn check_column(known: &CatalogTable, name: &str) -> Result<(), String> {
    if known.column(name).is_some() {
        return Ok(());
    }
    let columns: Vec<&str> = known.columns.iter().map(|(c, _)| *c).collect();
    Err(format!(
        "{} has no column `{name}`{}",
        known.name,
        with_suggestions(name, &columns)
    ))
}

/// Whether some finding of this text names the money at stake: `violation` with four
/// arguments.
pub fn names_amount(text: &str) -> bool {
    let tokens = ScriptTokens::of(text);
    let arguments = |open: usize| {
        let close = tokens.closing(open)?;
        let (mut count, mut at) = (1, open + 1);
        while at < close {
            // What stands in brackets of its own has its own commas.
            at = if tokens.opens(at) {
                tokens.closing(at)?
            } else {
                at
            };
            count += usize::from(tokens.is(at, ","));
            at += 1;
        }
        Some(count)
    };
    (0..tokens.all.len())
        .any(|at| tokens.are(at, &["violation", "("]) && arguments(at + 1).is_some_and(|n| n >= 4))
}
