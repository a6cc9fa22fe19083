//! The tokenizer tells words, strings and comments of a rule's text apart; code inside
//! `${…}` is code.

use crate::rules::script::token_lengths::{comment, number, quoted, raw};

/// The kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    Word,
    Number,
    /// A whole string, or the part of a backtick string up to `${` or its end.
    Text,
    Char,
    Symbol,
}

/// A token and its place, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScriptToken {
    pub kind: TokenKind,
    pub start: usize,
    pub end: usize,
    /// From 1.
    pub line: usize,
}

/// Symbols of several characters, the longest first.
const RHAI_SYMBOLS: [&str; 31] = [
    "**=", "<<=", ">>=", "..=", "&&", "||", "==", "!=", "<=", ">=", "=>", "->", "::", "..", "+=",
    "-=", "*=", "/=", "%=", "**", "<<", ">>", "&=", "|=", "^=", "??", "?.", "?[", "#{", "${",
    "!in",
];

/// All tokens of a text, in order.
pub fn tokenize(source: &str) -> Vec<ScriptToken> {
    let mut reader = Tokenizer {
        source,
        at: 0,
        line: 1,
        all: Vec::new(),
        braces: Vec::new(),
    };
    while reader.step() {}
    reader.all
}

struct Tokenizer<'a> {
    source: &'a str,
    at: usize,
    line: usize,
    all: Vec<ScriptToken>,
    /// For each open `${`: how many `{` are open inside.
    braces: Vec<usize>,
}

impl Tokenizer<'_> {
    fn rest(&self) -> &str {
        &self.source[self.at..]
    }

    fn skip(&mut self, bytes: usize) {
        let end = (self.at + bytes).min(self.source.len());
        self.line += self.source[self.at..end].matches('\n').count();
        self.at = end;
    }

    fn push(&mut self, kind: TokenKind, bytes: usize) {
        self.all.push(ScriptToken {
            kind,
            start: self.at,
            end: self.at + bytes,
            line: self.line,
        });
        self.skip(bytes);
    }

    /// Reads one word; false at the end.
    fn step(&mut self) -> bool {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return false;
        };
        if first.is_whitespace() {
            self.skip(first.len_utf8());
        } else if rest.starts_with("//") {
            self.skip(rest.find('\n').unwrap_or(rest.len()));
        } else if rest.starts_with("/*") {
            self.skip(comment(rest));
        } else if first.is_alphabetic() || first == '_' {
            let end = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            self.push(TokenKind::Word, end);
        } else if first.is_ascii_digit() {
            self.push(TokenKind::Number, number(rest));
        } else if first == '"' {
            self.push(TokenKind::Text, quoted(rest, '"'));
        } else if first == '\'' {
            self.push(TokenKind::Char, quoted(rest, '\''));
        } else if first == '`' {
            self.backtick(1);
        } else if let Some(bytes) = raw(rest) {
            self.push(TokenKind::Text, bytes);
        } else {
            self.symbol();
        }
        true
    }

    fn symbol(&mut self) {
        let rest = self.rest();
        // `!in` is one only if the word ends there.
        let ends = |s: &str| {
            s != "!in" || !rest[3..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
        };
        let known = RHAI_SYMBOLS
            .iter()
            .find(|s| **s != "${" && rest.starts_with(**s) && ends(s));
        let bytes = known.map_or_else(
            || rest.chars().next().map_or(1, char::len_utf8),
            |s| s.len(),
        );
        let text = &rest[..bytes];
        match text {
            "{" | "#{" => {
                if let Some(open) = self.braces.last_mut() {
                    *open += 1;
                }
            }
            "}" => match self.braces.last_mut() {
                Some(0) => {
                    self.braces.pop();
                    self.push(TokenKind::Symbol, 1);
                    self.backtick(0);
                    return;
                }
                Some(open) => *open -= 1,
                None => {}
            },
            _ => {}
        }
        self.push(TokenKind::Symbol, bytes);
    }

    /// The text of a backtick string up to its end or its next `${`.
    fn backtick(&mut self, skip: usize) {
        let rest = self.rest();
        let mut at = skip;
        while at < rest.len() {
            let tail = &rest[at..];
            if tail.starts_with("``") {
                at += 2;
            } else if tail.starts_with('`') {
                self.push(TokenKind::Text, at + 1);
                return;
            } else if tail.starts_with("${") {
                self.push(TokenKind::Text, at);
                self.push(TokenKind::Symbol, 2);
                self.braces.push(0);
                return;
            } else {
                at += tail.chars().next().map_or(1, char::len_utf8);
            }
        }
        self.push(TokenKind::Text, rest.len());
    }
}
