//! Counters of conditions: each condition, and each operand of `&&` and `||`.

use crate::rules::instrument::copy::{InsertEdge, InstrumentedCopy};
use crate::rules::script::library::COVER_CONDITION_FN;
use crate::rules::script::tokenizer::TokenKind;
use std::ops::Range;

impl InstrumentedCopy<'_> {
    /// Counts both ways in which the expression may go.
    pub(super) fn both_ways(&mut self, places: Range<usize>) {
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
    pub(super) fn operands(&mut self) {
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

    /// The place at which the expression before `at` begins.
    pub(super) fn begin_before(&self, at: usize, ends: &impl Fn(&Self, usize) -> bool) -> usize {
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
    pub(super) fn closes_value(&self, at: usize) -> bool {
        let open = (0..at)
            .rev()
            .find(|open| self.tokens.opens(*open) && self.tokens.closing(*open) == Some(at));
        open.is_some_and(|open| !self.tokens.is(open, "{"))
    }
}
