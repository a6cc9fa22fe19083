//! The text of a rule: files, header, tokens, tables that it may name.

pub mod audit_facts;
pub mod error;
pub mod files;
pub mod header;
pub mod library;
pub mod params;
pub mod tables;
pub mod tokens;
pub mod trigger_header;
pub mod variables;
