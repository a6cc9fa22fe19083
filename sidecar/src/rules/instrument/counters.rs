//! A copy of a rule's text with a counter in every branch: each condition and each
//! operand of `&&` and `||` passes through `cover_condition(n, …)`, each function,
//! loop body, closure and arm of a `switch` begins with `cover_entered(n);`. Lines
//! stay what they were.

use crate::rules::instrument::copy::{CodeBranch, InsertEdge, InstrumentedCopy};
use crate::rules::script::library::COVER_ENTERED_FN;
use crate::rules::script::tokenizer::TokenKind;
use crate::rules::script::tokens::ScriptTokens;

/// The branches of a text, and the copy that counts them, numbered from `first`.
pub fn instrument(source: &str, first: usize) -> (Vec<CodeBranch>, String) {
    let mut copy = InstrumentedCopy {
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

impl InstrumentedCopy<'_> {
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
}

#[cfg(test)]
#[path = "counters_tests.rs"]
mod tests;
