//! The words of a rule's text, with their places: enough to check names and to put
//! counters in, without knowing the grammar. Strings and comments are told apart,
//! and code inside `${…}` is code.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    Word,
    Number,
    /// A whole string, or the part of a backtick string up to `${` or its end.
    Text,
    Char,
    Symbol,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScriptToken {
    pub kind: TokenKind,
    pub start: usize,
    pub end: usize,
    /// From 1.
    pub line: usize,
}

/// A text and its words.
pub struct ScriptTokens<'a> {
    pub source: &'a str,
    pub all: Vec<ScriptToken>,
}

/// Longest first.
const RHAI_SYMBOLS: [&str; 31] = [
    "**=", "<<=", ">>=", "..=", "&&", "||", "==", "!=", "<=", ">=", "=>", "->", "::", "..", "+=",
    "-=", "*=", "/=", "%=", "**", "<<", ">>", "&=", "|=", "^=", "??", "?.", "?[", "#{", "${",
    "!in",
];

impl<'a> ScriptTokens<'a> {
    pub fn of(source: &'a str) -> ScriptTokens<'a> {
        let mut reader = Tokenizer {
            source,
            at: 0,
            line: 1,
            all: Vec::new(),
            braces: Vec::new(),
        };
        while reader.step() {}
        ScriptTokens {
            source,
            all: reader.all,
        }
    }

    pub fn text(&self, at: usize) -> &'a str {
        self.all
            .get(at)
            .map_or("", |token| &self.source[token.start..token.end])
    }

    pub fn is(&self, at: usize, text: &str) -> bool {
        let kind = self.all.get(at).map(|token| token.kind);
        matches!(kind, Some(TokenKind::Word | TokenKind::Symbol)) && self.text(at) == text
    }

    /// Whether these words stand here, one after the other.
    pub fn are(&self, at: usize, texts: &[&str]) -> bool {
        texts
            .iter()
            .enumerate()
            .all(|(n, text)| self.is(at + n, text))
    }

    pub fn word(&self, at: usize) -> Option<&'a str> {
        self.all
            .get(at)
            .filter(|token| token.kind == TokenKind::Word)
            .map(|_| self.text(at))
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

    pub fn line(&self, at: usize) -> usize {
        self.all.get(at).map_or(0, |token| token.line)
    }

    pub fn opens(&self, at: usize) -> bool {
        self.all
            .get(at)
            .is_some_and(|t| t.kind == TokenKind::Symbol)
            && matches!(self.text(at), "(" | "[" | "{" | "#{" | "${" | "?[")
    }

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

/// Length of a comment, which may hold others.
fn comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let tail = &text[at..];
        if tail.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += tail.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Length of `#"…"#`, with any number of `#`.
fn raw(text: &str) -> Option<usize> {
    let hashes = text.bytes().take_while(|b| *b == b'#').count();
    if hashes == 0 || !text[hashes..].starts_with('"') {
        return None;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let inner = hashes + 1;
    Some(
        text[inner..]
            .find(&end)
            .map_or(text.len(), |at| inner + at + end.len()),
    )
}

/// A point belongs to a number only if a digit follows: `1..3` is a range.
fn number(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(b) = bytes.get(at) {
        let point = *b == b'.' && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
        if !b.is_ascii_alphanumeric() && *b != b'_' && !point {
            break;
        }
        at += 1;
    }
    at
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
