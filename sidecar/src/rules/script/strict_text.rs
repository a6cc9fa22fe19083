//! The text that is compiled in place of a rule's own, in which comparisons are strict: a
//! written `()` beside `==` and `!=` asks for NULL and nothing else may be compared with
//! it, and what a `switch` is about must be of a kind that its arms have. Lines stay what
//! they were.

use crate::rules::script::tokenizer::TokenKind;
use crate::rules::script::tokens::ScriptTokens;
use rhai::{AST, Engine};

/// Operators that stand for `== ()` and `!= ()` in the text that is compiled.
pub const IS_NULL: &str = "===";
pub const IS_NOT_NULL: &str = "!==";
/// The function around what a `switch` is about.
pub const SWITCH_VALUE_FN: &str = "switch_value";

/// Compiles a text with strict comparisons.
///
/// # Errors
/// The text can't be read, in the engine's words.
pub fn compile(engine: &Engine, text: &str) -> Result<AST, String> {
    let strict = strict_text(text)?;
    engine.compile(strict).map_err(|e| e.to_string())
}

fn strict_text(text: &str) -> Result<String, String> {
    let tokens = ScriptTokens::of(text);
    // Places in the text, and what is put in there.
    let mut inserts: Vec<(usize, String)> = Vec::new();
    for at in 0..tokens.all.len() {
        if tokens.is(at, "==") || tokens.is(at, "!=") {
            if is_adjacent(&tokens, at) && tokens.is(at + 1, "=") {
                let line = tokens.line(at);
                let symbol = tokens.text(at);
                return Err(format!(
                    "line {line}: `{symbol}=` is no operator: `{symbol}`"
                ));
            }
            if null_follows(&tokens, at) || null_precedes(&tokens, at) {
                inserts.push((tokens.all[at].end, "=".to_owned()));
            }
        } else if tokens.is(at, "switch") {
            inserts.extend(switch_inserts(&tokens, at).into_iter().flatten());
        }
    }
    inserts.sort_by_key(|(at, _)| *at);
    let mut strict = String::with_capacity(text.len() + 64);
    let mut from = 0;
    for (at, insert) in inserts {
        strict.push_str(&text[from..at]);
        strict.push_str(&insert);
        from = at;
    }
    strict.push_str(&text[from..]);
    Ok(strict)
}

/// Whether nothing stands between this token and the next.
fn is_adjacent(tokens: &ScriptTokens<'_>, at: usize) -> bool {
    let next = tokens.all.get(at + 1).map(|token| token.start);
    tokens.all.get(at).map(|token| token.end) == next
}

fn null_follows(tokens: &ScriptTokens<'_>, at: usize) -> bool {
    tokens.are(at + 1, &["(", ")"])
}

/// Whether `()` stands before, and is no call.
fn null_precedes(tokens: &ScriptTokens<'_>, at: usize) -> bool {
    let Some(open) = at.checked_sub(2).filter(|o| tokens.are(*o, &["(", ")"])) else {
        return false;
    };
    let Some(before) = open.checked_sub(1) else {
        return true;
    };
    match tokens.word(before) {
        Some(word) => ["if", "while", "until", "return", "in", "throw"].contains(&word),
        None => {
            tokens.all.get(before).map(|token| token.kind) == Some(TokenKind::Symbol)
                && ![")", "]"].contains(&tokens.text(before))
        }
    }
}

/// Insertions around what the `switch` at `at` is about; none if its arms name nothing.
fn switch_inserts(tokens: &ScriptTokens<'_>, at: usize) -> Option<[(usize, String); 2]> {
    let mut body = at + 1;
    while !tokens.is(body, "{") {
        let next = tokens.opens(body).then(|| tokens.closing(body));
        body = next.unwrap_or(Some(body))? + 1;
        tokens.all.get(body)?;
    }
    let kinds = arm_kinds(tokens, body);
    if kinds.is_empty() {
        return None;
    }
    let (first, last) = (tokens.all.get(at + 1)?, tokens.all.get(body - 1)?);
    let call = format!("{SWITCH_VALUE_FN}(\"{}\", ", kinds.join(", "));
    Some([(first.start, call), (last.end, ")".to_owned())])
}

/// The kinds of the values that the arms name, in the words of `ValueKind`. The arms begin
/// after the bracket at `body`.
fn arm_kinds(tokens: &ScriptTokens<'_>, body: usize) -> Vec<&'static str> {
    let mut kinds: Vec<&str> = Vec::new();
    // Of what may be an arm: it is one once its `=>` comes.
    let mut named: Vec<&str> = Vec::new();
    let (mut depth, mut is_guard) = (1_usize, false);
    for place in body + 1..tokens.all.len() {
        let is_null = tokens.are(place, &["(", ")"]);
        if tokens.opens(place) && !is_null {
            depth += 1;
        } else if tokens.closes(place) && !tokens.is(place - 1, "(") {
            depth -= 1;
        }
        if depth == 0 {
            break;
        }
        if depth > 1 {
            continue;
        }
        if tokens.is(place, "=>") {
            for kind in named.drain(..) {
                if !kinds.contains(&kind) {
                    kinds.push(kind);
                }
            }
            is_guard = true;
        } else if tokens.is(place, ",") || tokens.is(place, "}") {
            named.clear();
            is_guard = false;
        } else if tokens.is(place, "if") {
            is_guard = true;
        } else if !is_guard {
            named.extend(kind_of(tokens, place, is_null));
        }
    }
    kinds
}

/// The kind of the literal at `place`, if one stands there.
fn kind_of(tokens: &ScriptTokens<'_>, place: usize, is_null: bool) -> Option<&'static str> {
    match tokens.all.get(place).map(|token| token.kind)? {
        TokenKind::Number => Some("a number"),
        TokenKind::Text | TokenKind::Char => Some("a text"),
        TokenKind::Word if ["true", "false"].contains(&tokens.text(place)) => Some("true or false"),
        TokenKind::Symbol if is_null => Some("NULL"),
        TokenKind::Word | TokenKind::Symbol => None,
    }
}

#[cfg(test)]
#[path = "strict_text_tests.rs"]
mod tests;
