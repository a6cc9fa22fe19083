//! Places in the tokens of a text: names, beginnings and ends of expressions.

use crate::rules::instrument::copy::InstrumentedCopy;
use crate::rules::script::tokenizer::TokenKind;

impl InstrumentedCopy<'_> {
    /// A property or the key of a map, whatever word it is.
    pub(super) fn is_name(&self, at: usize) -> bool {
        at.checked_sub(1)
            .is_some_and(|before| self.tokens.is(before, ".") || self.tokens.is(before, "?."))
            || (self.tokens.is(at + 1, ":") && !self.tokens.is(at + 1, "::"))
    }

    /// Whether an expression begins at `at`: there a `|` begins a closure.
    pub(super) fn begins_expression(&self, at: usize) -> bool {
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
    pub(super) fn end_of(&self, at: usize, ends: &[&str]) -> usize {
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
}
