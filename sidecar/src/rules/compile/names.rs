//! Names in a rule's text, checked when it is loaded: a column, field, table or
//! parameter that is not there is refused now, not found out when money moves.
//! Where the kind of a variable is plain (what the trigger hands over, and what is
//! taken of it), its names are checked against that very table or event; elsewhere a
//! name must at least be one that something has.

use crate::rules::runtime::types::EVENT_FIELDS;
use crate::rules::text::header::RuleHeader;
use crate::rules::text::tables::{self, CATALOG_TABLES, CatalogTable, ColumnKind};
use crate::rules::text::tokens::{ScriptFunction, ScriptTokens};
use crate::rules::text::trigger_header::{PairSide, RequiredSides, Trigger};
use crate::rules::text::variables::VariableKind;
use crate::stream::change::AuditSubject;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

const ROW_NAMES: [&str; 5] = ["table", "op", "before", "after", "changed"];
const TRANSACTION_NAMES: [&str; 2] = ["provenance", "accounts"];
const WINDOW_NAMES: [&str; 4] = ["count", "sum", "distinct", "values"];
/// What differences of sums have, and what texts, arrays and ranges have.
const OTHER_NAMES: [&str; 17] = [
    "key",
    "account",
    "amount",
    "left",
    "right",
    "len",
    "is_empty",
    "bytes",
    "chars",
    "bits",
    "start",
    "end",
    "is_inclusive",
    "is_exclusive",
    "is_odd",
    "is_even",
    "is_zero",
];

type VariableKinds<'a> = BTreeMap<&'a str, VariableKind>;

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

/// The names of all properties that something has, sorted.
fn all_names() -> &'static [&'static str] {
    static ALL_NAMES: OnceLock<Vec<&'static str>> = OnceLock::new();
    ALL_NAMES.get_or_init(|| {
        let mut all: BTreeSet<&str> = tables::all_columns().into_iter().collect();
        all.extend(
            [
                AuditSubject::Books,
                AuditSubject::Postings,
                AuditSubject::Captures,
                AuditSubject::Orders,
            ]
            .into_iter()
            .flat_map(at_rest_names),
        );
        for some in [
            &ROW_NAMES[..],
            &TRANSACTION_NAMES,
            &WINDOW_NAMES,
            &OTHER_NAMES,
            &EVENT_FIELDS,
        ] {
            all.extend(some);
        }
        all.into_iter().collect()
    })
}

fn at_rest_names(of: AuditSubject) -> Vec<&'static str> {
    crate::rules::text::audit_facts::fields(of)
        .iter()
        .map(|(name, _)| *name)
        .collect()
}

/// `param("name")` must be in the header, and what is there must be asked for.
fn check_params(header: &RuleHeader, tokens: &ScriptTokens<'_>) -> Result<(), String> {
    let mut asked = BTreeSet::new();
    for at in 0..tokens.all.len() {
        if !tokens.are(at, &["param", "("]) {
            continue;
        }
        let line = tokens.line(at);
        let Some(name) = tokens.literal(at + 2).filter(|_| tokens.is(at + 3, ")")) else {
            return Err(format!(
                "line {line}: param takes the name written out, such as param(\"most\")"
            ));
        };
        if !header.params.contains_key(name) {
            let known: Vec<&str> = header.params.keys().map(String::as_str).collect();
            return Err(format!(
                "line {line}: [params] has no `{name}`{}",
                with_suggestions(name, &known)
            ));
        }
        asked.insert(name);
    }
    match header
        .params
        .keys()
        .find(|name| !asked.contains(name.as_str()))
    {
        Some(name) => Err(format!(
            "params.{name} is never asked for with param({name:?})"
        )),
        None => Ok(()),
    }
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

fn table(name: &str) -> Option<usize> {
    tables::find(name)
}

fn side(side: &PairSide) -> Option<VariableKind> {
    match &side.table {
        Some(name) => table(name).map(VariableKind::Image),
        None => Some(VariableKind::Event),
    }
}

/// What a function's parameters are.
fn parameter_kinds(trigger: &Trigger, function: &str) -> Vec<Option<VariableKind>> {
    match (trigger, function) {
        (Trigger::Row { table: name, .. }, "check") => vec![table(name).map(VariableKind::Row)],
        (Trigger::Transaction { .. }, "check") => vec![Some(VariableKind::Tx)],
        (Trigger::Event { .. }, "check") => vec![Some(VariableKind::Event)],
        (Trigger::Audit { of }, "check") => vec![Some(VariableKind::AtRest(*of))],
        (Trigger::Window { table: name, .. }, "check") => {
            vec![
                table(name).map(VariableKind::Row),
                Some(VariableKind::Earlier),
            ]
        }
        (Trigger::Pair { left, right, .. }, "check") => vec![side(left), side(right)],
        (
            Trigger::Pair {
                left,
                right,
                require,
                ..
            },
            "missing",
        ) => match require {
            RequiredSides::Left => vec![side(left)],
            RequiredSides::Right => vec![side(right)],
            RequiredSides::Both if side(left) == side(right) => vec![side(left)],
            RequiredSides::Both | RequiredSides::None => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Variables of a function whose kind is plain: a name that is given twice is not.
fn variables<'a>(
    trigger: &Trigger,
    tokens: &ScriptTokens<'a>,
    function: &ScriptFunction<'a>,
) -> VariableKinds<'a> {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    let mut known = VariableKinds::new();
    for (param, what) in function
        .params
        .iter()
        .zip(parameter_kinds(trigger, function.name))
    {
        known.extend(what.map(|what| (*param, what)));
    }
    for param in &function.params {
        *times.entry(param).or_default() += 1;
    }
    for at in function.open..function.close {
        let declares = tokens.is(at, "let") || tokens.is(at, "const") || tokens.is(at, "for");
        let names: Vec<usize> = if declares {
            vec![at + 1 + usize::from(tokens.is(at + 1, "("))]
        } else if tokens.is(at, "|") {
            (at + 1..function.close)
                .take_while(|p| !tokens.is(*p, "|"))
                .take(4)
                .collect()
        } else if tokens.is(at + 1, "=") && !tokens.is(at.wrapping_sub(1), ".") {
            let declared =
                tokens.is(at.wrapping_sub(1), "let") || tokens.is(at.wrapping_sub(1), "const");
            if declared { Vec::new() } else { vec![at] }
        } else {
            Vec::new()
        };
        for name in names.iter().filter_map(|p| tokens.word(*p)) {
            *times.entry(name).or_default() += 1;
        }
        if let Some((name, what)) = declared_kind(tokens, at, &known) {
            known.insert(name, what);
        }
    }
    known.retain(|name, _| times.get(name).is_none_or(|times| *times == 1));
    known
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
        VariableKind::Row(table)
            if tokens.is(at, "let") && tokens.is(at + 2, "=") && tokens.is(at + 6, ";") =>
        {
            matches!(member, "after" | "before").then_some((name, VariableKind::Image(table)))
        }
        VariableKind::Tx if tokens.is(at, "for") && tokens.is(at + 2, "in") && member == "rows" => {
            let rows = tokens
                .literal(at + 7)
                .filter(|_| tokens.is(at + 6, "(") && tokens.is(at + 8, ")"));
            Some((name, VariableKind::Row(table(rows?)?)))
        }
        _ => None,
    }
}

/// What stands before the point at `at`, if that is plain.
fn object(
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
    match variables.get(tokens.word(root).filter(|_| rooted)?) {
        Some(VariableKind::Row(table)) if matches!(word, "after" | "before") => {
            Some(VariableKind::Image(*table))
        }
        _ => None,
    }
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
    match what {
        Some(VariableKind::Image(table)) => {
            column(&CATALOG_TABLES[table], name).map_err(|e| format!("line {line}: {e}"))
        }
        Some(VariableKind::Row(_)) => known("a row", &ROW_NAMES),
        Some(VariableKind::Tx) => known("a transaction", &TRANSACTION_NAMES),
        Some(VariableKind::Event) => known("an event", &EVENT_FIELDS),
        Some(VariableKind::AtRest(of)) => known(
            crate::rules::text::audit_facts::name(of),
            &at_rest_names(of),
        ),
        Some(VariableKind::Earlier) => {
            known("a window", &WINDOW_NAMES)?;
            match trigger {
                Trigger::Window {
                    table: name_of,
                    keep,
                    ..
                } if name == "sum" => {
                    let kind = table(name_of).and_then(|t| CATALOG_TABLES[t].column(keep));
                    let adds = kind != Some(ColumnKind::Text);
                    let wrong =
                        || format!("line {line}: the window keeps {keep}, a text: it has no sum");
                    adds.then_some(()).ok_or_else(wrong)
                }
                _ => Ok(()),
            }
        }
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
    }
}

/// Checks a method of something plain, and the tables and columns that it is given.
fn check_call(
    tokens: &ScriptTokens<'_>,
    at: usize,
    what: Option<VariableKind>,
) -> Result<(), String> {
    let name = tokens.text(at + 1);
    let first = at + 3;
    match what {
        Some(VariableKind::Row(table)) if name == "changed" => match tokens.literal(first) {
            Some(wanted) => column(&CATALOG_TABLES[table], wanted),
            None => Ok(()),
        },
        Some(VariableKind::Tx) => {
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
            let found = table(wanted).ok_or_else(|| {
                format!(
                    "\"{wanted}\" is not a watched table{}",
                    with_suggestions(wanted, &names)
                )
            })?;
            check_columns(tokens, first + 2, &CATALOG_TABLES[found], name)
        }
        Some(VariableKind::Earlier) if name != "seen" => Err(format!(
            "a window has no `{name}(…)`{}",
            with_suggestions(name, &["seen"])
        )),
        _ => Ok(()),
    }
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
            column(known, wanted)?;
        }
    }
    let next = end + 2;
    if method == "moves" {
        let Some(wanted) = tokens.literal(next) else {
            return Ok(());
        };
        column(known, wanted)?;
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
                .map_or(Ok(()), |wanted| column(known, wanted))?;
        }
    }
    Ok(())
}

fn column(known: &CatalogTable, name: &str) -> Result<(), String> {
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

/// What there is, the nearest name first.
fn with_suggestions(name: &str, known: &[&str]) -> String {
    if known.is_empty() {
        return ": there is none".to_owned();
    }
    format!("{}; there are {}", nearest(name, known), known.join(", "))
}

fn nearest(name: &str, known: &[&str]) -> String {
    let best = known
        .iter()
        .min_by_key(|k| strsim::damerau_levenshtein(name, k));
    best.map_or_else(String::new, |best| format!(": is it `{best}`?"))
}
