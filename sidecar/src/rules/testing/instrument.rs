//! A copy of a rule's text with a counter in every branch: each condition and each
//! operand of `&&` and `||` passes through `cover_condition(n, …)`, each function,
//! loop body, closure and arm of a `switch` begins with `cover_entered(n);`. Lines
//! stay what they were.

use crate::rules::text::library::{COVER_CONDITION_FN, COVER_ENTERED_FN};
use crate::rules::text::tokens::{ScriptTokens, TokenKind};
use std::ops::Range;

/// A place that must be passed both ways, or entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeBranch {
    pub line: usize,
    /// As it stands in the text.
    pub text: String,
    pub both_ways: bool,
}

/// Longest text of a branch, in characters, as it is shown.
const MAX_BRANCH_CHARS: usize = 60;

/// The branches of a text, and the copy that counts them, numbered from `first`.
pub fn instrument(source: &str, first: usize) -> (Vec<CodeBranch>, String) {
    let mut copy = Copy {
        tokens: ScriptTokens::of(source),
        first,
        branches: Vec::new(),
        inserts: Vec::new(),
    };
    for at in 0..copy.tokens.all.len() {
        copy.look(at);
    }
    copy.operands();
    copy.finish()
}

struct Copy<'a> {
    tokens: ScriptTokens<'a>,
    first: usize,
    branches: Vec<CodeBranch>,
    /// Place in the text, how much it encloses (0 for a counter), and what is put in.
    inserts: Vec<(usize, InsertEdge, usize, String)>,
}

/// At one place, what ends comes before what begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum InsertEdge {
    Ends,
    Begins,
}

impl Copy<'_> {
    fn look(&mut self, at: usize) {
        let tokens = &self.tokens;
        let is_word = tokens
            .all
            .get(at)
            .is_some_and(|t| t.kind == TokenKind::Word)
            && !self.is_name(at);
        match tokens.text(at) {
            "if" if is_word => self.both_ways(at + 1..self.end_of(at + 1, &["{", "=>"])),
            "while" | "until" if is_word => {
                self.both_ways(at + 1..self.end_of(at + 1, &["{", ";", "}"]))
            }
            "for" if is_word => {
                let body = self.end_of(at + 1, &["{"]);
                self.enters(body, &format!("for {}", self.shown(at + 1..body)));
            }
            "fn" if is_word => {
                let Some(body) = tokens.closing(at + 2).map(|end| end + 1) else {
                    return;
                };
                self.enters(body, &format!("fn {}", tokens.text(at + 1)));
            }
            "=>" => self.body(at + 1, &self.arm(at)),
            "||" if self.begins_expression(at) => self.body(at + 1, "closure ||"),
            "|" if self.begins_expression(at) => {
                let close = (at + 1..tokens.all.len()).find(|p| tokens.is(*p, "|"));
                let Some(close) = close else { return };
                self.body(close + 1, &format!("closure {}", self.shown(at..close + 1)));
            }
            _ => {}
        }
    }

    /// A property or the key of a map, whatever word it is.
    fn is_name(&self, at: usize) -> bool {
        at.checked_sub(1)
            .is_some_and(|before| self.tokens.is(before, ".") || self.tokens.is(before, "?."))
            || (self.tokens.is(at + 1, ":") && !self.tokens.is(at + 1, "::"))
    }

    /// Whether an expression begins at `at`: there a `|` begins a closure.
    fn begins_expression(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1) else {
            return true;
        };
        let text = self.tokens.text(before);
        match self.tokens.all.get(before).map(|t| t.kind) {
            Some(TokenKind::Symbol) => !matches!(text, ")" | "]" | "}"),
            Some(TokenKind::Word) => {
                matches!(text, "return" | "in" | "if" | "while" | "until" | "throw")
            }
            _ => false,
        }
    }

    /// The first of `ends` at the depth of `at`, or whatever closes around it.
    fn end_of(&self, at: usize, ends: &[&str]) -> usize {
        let mut place = at;
        while place < self.tokens.all.len() {
            if ends.iter().any(|end| self.tokens.is(place, end)) || self.tokens.closes(place) {
                return place;
            }
            place = match self.tokens.opens(place) {
                true => self
                    .tokens
                    .closing(place)
                    .map_or(self.tokens.all.len(), |close| close + 1),
                false => place + 1,
            };
        }
        place
    }

    fn arm(&self, at: usize) -> String {
        let mut from = at;
        while let Some(before) = from.checked_sub(1) {
            if ["{", ",", "}"]
                .iter()
                .any(|end| self.tokens.is(before, end))
            {
                break;
            }
            from = before;
        }
        format!("arm {}", self.shown(from..at))
    }

    /// A block, or an expression that becomes one.
    fn body(&mut self, at: usize, what: &str) {
        if self.tokens.is(at, "{") {
            self.enters(at, what);
            return;
        }
        let end = self.end_of(at, &[",", ";"]);
        let (Some(from), Some(to)) = (
            self.tokens.all.get(at),
            end.checked_sub(1).and_then(|e| self.tokens.all.get(e)),
        ) else {
            return;
        };
        let (start, stop) = (from.start, to.end);
        let number = self.branch(self.tokens.line(at), what.to_owned(), false);
        self.insert(
            start,
            InsertEdge::Begins,
            stop - start,
            format!("{{ {COVER_ENTERED_FN}({number}); "),
        );
        self.insert(stop, InsertEdge::Ends, stop - start, " }".to_owned());
    }

    /// A counter after the `{` at `at`.
    fn enters(&mut self, at: usize, what: &str) {
        let Some(open) = self.tokens.all.get(at).filter(|_| self.tokens.is(at, "{")) else {
            return;
        };
        let end = open.end;
        let number = self.branch(self.tokens.line(at), what.to_owned(), false);
        self.insert(
            end,
            InsertEdge::Ends,
            usize::MAX,
            format!(" {COVER_ENTERED_FN}({number}); "),
        );
    }

    fn both_ways(&mut self, places: Range<usize>) {
        let last = places
            .end
            .checked_sub(1)
            .filter(|last| *last >= places.start);
        let Some((from, to)) = self
            .tokens
            .all
            .get(places.start)
            .zip(last.and_then(|l| self.tokens.all.get(l)))
        else {
            return;
        };
        let (start, stop) = (from.start, to.end);
        let known = |i: &&(usize, InsertEdge, usize, String)| {
            i.0 == start && i.1 == InsertEdge::Begins && i.2 == stop - start
        };
        if self.inserts.iter().any(|i| known(&i)) {
            return;
        }
        let number = self.branch(self.tokens.line(places.start), self.shown(places), true);
        self.insert(
            start,
            InsertEdge::Begins,
            stop - start,
            format!("{COVER_CONDITION_FN}({number}, "),
        );
        self.insert(stop, InsertEdge::Ends, stop - start, ")".to_owned());
    }

    /// Each operand of `&&` and `||`.
    fn operands(&mut self) {
        let is_and_or = |copy: &Self, at: usize| {
            copy.tokens.is(at, "&&") || (copy.tokens.is(at, "||") && !copy.begins_expression(at))
        };
        for at in 0..self.tokens.all.len() {
            if !is_and_or(self, at) {
                continue;
            }
            let looser = self.tokens.is(at, "||");
            let ends = |copy: &Self, place: usize| -> bool {
                let text = copy.tokens.text(place);
                let symbol = copy
                    .tokens
                    .all
                    .get(place)
                    .is_some_and(|t| t.kind == TokenKind::Symbol);
                let assigns = matches!(
                    text,
                    "=" | "+=" | "-=" | "*=" | "/=" | "%=" | "**=" | "=>" | ":" | "," | ";"
                );
                let or = matches!(text, "||" | "|" | "^");
                let and = !looser && matches!(text, "&&" | "&");
                let word = copy.tokens.word(place).is_some() && !copy.is_name(place);
                let begins = matches!(
                    text,
                    "return" | "if" | "while" | "until" | "throw" | "let" | "const" | "else"
                );
                (symbol && (assigns || or || and)) || (word && begins)
            };
            let from = self.begin_before(at, &ends);
            self.both_ways(from..at);
            let mut to = at + 1;
            while to < self.tokens.all.len()
                && !self.tokens.closes(to)
                && !ends(self, to)
                && !self.tokens.is(to, "{")
            {
                to = match self.tokens.opens(to) {
                    true => self
                        .tokens
                        .closing(to)
                        .map_or(self.tokens.all.len(), |close| close + 1),
                    false => to + 1,
                };
            }
            self.both_ways(at + 1..to);
        }
    }

    /// Where the expression before `at` begins.
    fn begin_before(&self, at: usize, ends: &impl Fn(&Self, usize) -> bool) -> usize {
        let mut from = at;
        let mut depth = 0_usize;
        while let Some(before) = from.checked_sub(1) {
            if self.tokens.closes(before) {
                // A block that ended is a statement before, not part of this.
                if depth == 0 && self.tokens.is(before, "}") && !self.closes_value(before) {
                    break;
                }
                depth += 1;
            } else if self.tokens.opens(before) {
                if depth == 0 {
                    break;
                }
                depth -= 1;
            } else if depth == 0 && ends(self, before) {
                break;
            }
            from = before;
        }
        from
    }

    /// Whether the `}` at `at` closes a map or `${`, not a block.
    fn closes_value(&self, at: usize) -> bool {
        let open = (0..at)
            .rev()
            .find(|open| self.tokens.opens(*open) && self.tokens.closing(*open) == Some(at));
        open.is_some_and(|open| !self.tokens.is(open, "{"))
    }

    fn branch(&mut self, line: usize, text: String, both_ways: bool) -> usize {
        self.branches.push(CodeBranch {
            line,
            text,
            both_ways,
        });
        self.first + self.branches.len() - 1
    }

    fn insert(&mut self, at: usize, side: InsertEdge, encloses: usize, text: String) {
        self.inserts.push((at, side, encloses, text));
    }

    fn shown(&self, places: Range<usize>) -> String {
        let Some((from, to)) = self
            .tokens
            .all
            .get(places.start)
            .zip(self.tokens.all.get(places.end.saturating_sub(1)))
        else {
            return String::new();
        };
        let text = self
            .tokens
            .source
            .get(from.start..to.end)
            .unwrap_or_default();
        text.split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .chars()
            .take(MAX_BRANCH_CHARS)
            .collect()
    }

    fn finish(mut self) -> (Vec<CodeBranch>, String) {
        // What encloses more begins first and ends last.
        self.inserts.sort_by(|a, b| {
            let encloses = match a.1 {
                InsertEdge::Begins => b.2.cmp(&a.2),
                InsertEdge::Ends => a.2.cmp(&b.2),
            };
            (a.0, a.1).cmp(&(b.0, b.1)).then(encloses)
        });
        let mut copy = String::with_capacity(self.tokens.source.len() * 2);
        let mut from = 0;
        for (at, _, _, text) in &self.inserts {
            copy.push_str(&self.tokens.source[from..*at]);
            copy.push_str(text);
            from = *at;
        }
        copy.push_str(&self.tokens.source[from..]);
        (self.branches, copy)
    }
}

#[cfg(test)]
#[path = "instrument_tests.rs"]
mod tests;
