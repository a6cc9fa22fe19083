//! Tokens of a rule's text, with their places: enough to check names and to put counters
//! in, without knowing the grammar.

use crate::rules::script::tokenizer::{ScriptToken, TokenKind, tokenize};

/// A text and its tokens.
pub struct ScriptTokens<'a> {
    pub source: &'a str,
    pub all: Vec<ScriptToken>,
}

impl<'a> ScriptTokens<'a> {
    /// Reads a text.
    pub fn of(source: &'a str) -> ScriptTokens<'a> {
        ScriptTokens {
            source,
            all: tokenize(source),
        }
    }

    /// The text of the token at `at`; empty past the end.
    pub fn text(&self, at: usize) -> &'a str {
        self.all
            .get(at)
            .map_or("", |token| &self.source[token.start..token.end])
    }

    /// Whether this word or symbol stands at `at`.
    pub fn is(&self, at: usize, text: &str) -> bool {
        let kind = self.all.get(at).map(|token| token.kind);
        matches!(kind, Some(TokenKind::Word | TokenKind::Symbol)) && self.text(at) == text
    }

    /// Whether these words stand at `at`, one after the other.
    pub fn are(&self, at: usize, texts: &[&str]) -> bool {
        texts
            .iter()
            .enumerate()
            .all(|(n, text)| self.is(at + n, text))
    }

    /// The word at `at`, if one stands there.
    pub fn word(&self, at: usize) -> Option<&'a str> {
        self.all
            .get(at)
            .filter(|token| token.kind == TokenKind::Word)
            .map(|_| self.text(at))
    }

    /// All words of the text, once or more.
    pub fn words(&self) -> impl Iterator<Item = String> {
        (0..self.all.len()).filter_map(|at| self.word(at).map(str::to_owned))
    }

    /// The content of a string that is written out (no `${…}` in it).
    pub fn literal(&self, at: usize) -> Option<&'a str> {
        let text = self
            .all
            .get(at)
            .filter(|token| token.kind == TokenKind::Text)
            .map(|_| self.text(at))?;
        let inner = text
            .strip_prefix(['"', '`'])
            .and_then(|t| t.strip_suffix(['"', '`']))?;
        (!inner.contains('\\')).then_some(inner)
    }

    /// The line of the token, from 1.
    pub fn line(&self, at: usize) -> usize {
        self.all.get(at).map_or(0, |token| token.line)
    }

    /// Whether a bracket opens at `at`.
    pub fn opens(&self, at: usize) -> bool {
        self.all
            .get(at)
            .is_some_and(|t| t.kind == TokenKind::Symbol)
            && matches!(self.text(at), "(" | "[" | "{" | "#{" | "${" | "?[")
    }

    /// Whether a bracket closes at `at`.
    pub fn closes(&self, at: usize) -> bool {
        self.all
            .get(at)
            .is_some_and(|t| t.kind == TokenKind::Symbol)
            && matches!(self.text(at), ")" | "]" | "}")
    }

    /// The place of the bracket that closes the one at `at`.
    pub fn closing(&self, at: usize) -> Option<usize> {
        let mut depth = 0_usize;
        for place in at..self.all.len() {
            if self.opens(place) {
                depth += 1;
            } else if self.closes(place) {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(place);
                }
            }
        }
        None
    }

    /// Functions: name, places of the parameters, and of the body's brackets.
    pub fn functions(&self) -> Vec<ScriptFunction<'a>> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < self.all.len() {
            let (Some(name), true) = (self.word(at + 1), self.is(at, "fn")) else {
                at += 1;
                continue;
            };
            let Some(end) = self.closing(at + 2).filter(|_| self.is(at + 2, "(")) else {
                break;
            };
            let params = (at + 3..end).filter_map(|p| self.word(p)).collect();
            let Some(close) = self.closing(end + 1).filter(|_| self.is(end + 1, "{")) else {
                break;
            };
            found.push(ScriptFunction {
                name,
                params,
                open: end + 1,
                close,
            });
            at = close + 1;
        }
        found
    }
}

/// A function of a rule's text.
#[derive(Debug)]
pub struct ScriptFunction<'a> {
    pub name: &'a str,
    pub params: Vec<&'a str>,
    /// Places of the body's `{` and `}`.
    pub open: usize,
    pub close: usize,
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
