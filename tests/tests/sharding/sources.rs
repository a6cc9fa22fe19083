//! Statements as they stand in the core's source: literals joined by function.

use crate::sharding::sql_checks::is_word;
use std::path::{Path, PathBuf};

pub(super) fn files(under: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(under).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|e| e == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// String literals of Rust code, in order. Raw strings count too; a backslash at a
/// line's end joins the lines.
fn literals(code: &str) -> Vec<String> {
    let (mut found, mut chars) = (Vec::new(), code.chars().peekable());
    let mut before = ' ';
    while let Some(c) = chars.next() {
        match c {
            '/' if chars.peek() == Some(&'/') => {
                chars.by_ref().find(|c| *c == '\n');
            }
            // A quote as a character: '"' or '\''.
            '\'' => {
                let ahead: Vec<char> = chars.clone().take(3).collect();
                match ahead.as_slice() {
                    ['\\', _, '\''] => drop(chars.by_ref().take(3).count()),
                    [_, '\'', ..] => drop(chars.by_ref().take(2).count()),
                    _ => {}
                }
            }
            '"' => found.push(literal(&mut chars, before == '#' || before == 'r')),
            _ => {}
        }
        before = c;
    }
    found
}

fn literal(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, raw: bool) -> String {
    let mut text = String::new();
    while let Some(c) = chars.next() {
        match c {
            '"' if !raw || chars.peek() == Some(&'#') || !text.contains('"') => break,
            '\\' if !raw => match chars.next() {
                Some('\n') => {
                    while chars.peek().is_some_and(|c| c.is_whitespace()) {
                        chars.next();
                    }
                }
                Some(escaped) => text.push(escaped),
                None => {}
            },
            c => text.push(c),
        }
    }
    text
}

const SQL_VERBS: [&str; 9] = [
    "SELECT ", "INSERT ", "UPDATE ", "DELETE ", "REPLACE ", "CALL ", "XA ", "CREATE ", "ALTER ",
];

/// The statements of one function: a literal that begins with a verb, and what is
/// pushed after it.
pub(super) fn statements(function: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for text in literals(function) {
        for part in text.split("; ").filter(|p| !p.is_empty()) {
            if SQL_VERBS
                .iter()
                .any(|verb| part.trim_start().starts_with(verb))
            {
                all.push(part.trim_start().to_owned());
            } else if text.starts_with([' ', '.', '(', ',', ')'])
                && let Some(last) = all.last_mut()
            {
                last.push_str("{}");
                last.push_str(part);
            }
        }
    }
    all
}

/// Functions of a file without its tests: name and text.
pub(super) fn functions(code: &str) -> Vec<(String, String)> {
    let code = code.split("#[cfg(test)]").next().unwrap_or_default();
    let mut all: Vec<(String, String)> = vec![("-".into(), String::new())];
    for line in code.lines() {
        let words = line
            .trim_start()
            .trim_start_matches("pub(super) ")
            .trim_start_matches("pub(crate) ");
        let words = words
            .trim_start_matches("pub ")
            .trim_start_matches("async ");
        if let Some(rest) = words.strip_prefix("fn ") {
            let name = rest.chars().take_while(|c| is_word(*c as u8)).collect();
            all.push((name, String::new()));
        }
        if let Some((_, text)) = all.last_mut() {
            text.push_str(line);
            text.push('\n');
        }
    }
    all
}
