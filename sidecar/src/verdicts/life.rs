//! The life of a verdict: open until a person answers it.

use sluice_contract::string_enum;

string_enum! {
    /// The stage of a verdict's life.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum VerdictLife("a verdict's life") {
        /// Found before lives were written down, on a breaker that was closed by then.
        Before = "before",
        Open = "open",
        Answered = "answered",
        /// Of a rule in shadow: nobody has to answer it.
        Shadow = "shadow",
    }
}

/// A person's answer to verdicts.
#[derive(Debug, Clone, Copy)]
pub struct VerdictAnswer<'a> {
    pub by: &'a str,
    pub text: &'a str,
    pub at_us: i64,
    /// The reset that gives it, as `cash_out/account/A-17@7`; None of one that holds no breaker.
    pub with: Option<&'a str>,
}
