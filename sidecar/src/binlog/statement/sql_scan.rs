//! One reading of a statement's text, character by character.

use crate::binlog::statement::sql_tokens::SqlToken;
use crate::binlog::watched_tables::is_part;

/// A server's way of reading, which the text alone does not tell.
#[derive(Debug, Clone, Copy)]
pub struct SqlReadingMode {
    /// Comments for some versions only are code.
    pub conditional: bool,
    /// A backslash in text takes the next character's meaning away.
    pub backslash: bool,
}

/// Code in a comment from this version on: not all servers that we know run it.
const MIN_UNCERTAIN_VERSION: u32 = 50_700;
/// Digits of a version, at most.
const MAX_VERSION_DIGITS: usize = 6;

/// Reads a statement in this mode. `None` if something quoted or commented has no end.
pub fn read(statement: &str, mode: SqlReadingMode) -> Option<Vec<SqlToken>> {
    let (mut tokens, mut rest, mut inside) = (Vec::new(), statement, 0_usize);
    while let Some(first) = rest.chars().next() {
        let after = &rest[first.len_utf8()..];
        rest = if first.is_whitespace() || first == '\0' {
            after
        } else if first == '#' || is_dashes(rest) {
            rest.split_once('\n').map_or("", |(_, next)| next)
        } else if let Some((runs, code)) = executable(rest, mode) {
            if runs {
                inside += 1;
                code
            } else {
                code.split_once("*/")?.1
            }
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/")?.1
        } else if inside > 0 && rest.starts_with("*/") {
            inside -= 1;
            &rest[2..]
        } else if matches!(first, '`' | '\'' | '"') {
            let (text, next) = quoted(after, first, mode.backslash && first != '`')?;
            tokens.push(if first == '`' {
                SqlToken::Name(text)
            } else {
                SqlToken::Text(text)
            });
            next
        } else if is_part(first) {
            let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
            tokens.push(SqlToken::Word(rest[..end].to_ascii_uppercase()));
            &rest[end..]
        } else {
            tokens.push(SqlToken::Sign(first));
            after
        };
    }
    (inside == 0).then_some(tokens)
}

fn is_dashes(rest: &str) -> bool {
    rest.strip_prefix("--").is_some_and(|next| {
        next.chars()
            .next()
            .is_none_or(|c| c.is_whitespace() || c.is_control())
    })
}

/// An executable comment: whether it runs, and what is in it.
fn executable(rest: &str, mode: SqlReadingMode) -> Option<(bool, &str)> {
    let (code, of_mariadb) = match rest.strip_prefix("/*!") {
        Some(code) => (code, false),
        None => (rest.strip_prefix("/*M!")?, true),
    };
    let digits = code
        .bytes()
        .take(MAX_VERSION_DIGITS)
        .take_while(u8::is_ascii_digit)
        .count();
    let version = code[..digits].parse().unwrap_or(0_u32);
    Some((
        mode.conditional || !of_mariadb && version < MIN_UNCERTAIN_VERSION,
        &code[digits..],
    ))
}

/// The quoted text, and the rest after it.
fn quoted(text: &str, quote: char, escapes: bool) -> Option<(String, &str)> {
    let (mut inner, mut chars) = (String::new(), text.char_indices().peekable());
    while let Some((at, c)) = chars.next() {
        if escapes && c == '\\' {
            inner.extend(chars.next().map(|(_, c)| c));
        } else if c != quote {
            inner.push(c);
        } else if chars.next_if(|(_, next)| *next == quote).is_some() {
            inner.push(quote);
        } else {
            return Some((inner, &text[at + quote.len_utf8()..]));
        }
    }
    None
}
