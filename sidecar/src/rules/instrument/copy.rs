//! The copy of a text into which counters are put, and the branches that they count.

use crate::rules::script::tokens::ScriptTokens;
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

/// A text, its branches so far and the insertions that count them.
pub(super) struct InstrumentedCopy<'a> {
    pub(super) tokens: ScriptTokens<'a>,
    pub(super) first: usize,
    pub(super) branches: Vec<CodeBranch>,
    /// Place in the text, how much it encloses (0 for a counter), and the text to put in.
    pub(super) inserts: Vec<(usize, InsertEdge, usize, String)>,
}

/// Insertions at one place: one that ends comes before one that begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum InsertEdge {
    Ends,
    Begins,
}

impl InstrumentedCopy<'_> {
    /// Adds a branch; its number.
    pub(super) fn branch(&mut self, line: usize, text: String, both_ways: bool) -> usize {
        self.branches.push(CodeBranch {
            line,
            text,
            both_ways,
        });
        self.first + self.branches.len() - 1
    }

    pub(super) fn insert(&mut self, at: usize, side: InsertEdge, encloses: usize, text: String) {
        self.inserts.push((at, side, encloses, text));
    }

    /// The text of some tokens, shortened.
    pub(super) fn shown(&self, places: Range<usize>) -> String {
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

    /// The branches, and the text with all insertions.
    pub(super) fn finish(mut self) -> (Vec<CodeBranch>, String) {
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
