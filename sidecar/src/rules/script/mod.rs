//! The code of a rule before it runs: tokens, kinds of variables, and the library.

pub mod library;
pub mod strict_text;
pub mod token_lengths;
pub mod tokenizer;
pub mod tokens;
pub mod variable_kind;
