//! The text of a rule: files, header, tokens, tables that it may name.

pub mod audit_facts;
pub mod breaker_field;
pub mod error;
pub mod files;
pub mod header;
pub mod one_or_many;
pub mod pair_side;
pub mod params;
pub mod row_filter;
pub mod row_guard;
pub mod rule_mode;
pub mod tables;
pub mod trigger_header;
