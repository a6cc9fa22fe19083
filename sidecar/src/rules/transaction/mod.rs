//! Transactions as the code of a rule sees them: rows, exact sums, provenance. All of it is
//! computed natively and only when asked for.

pub mod guard_changes;
pub mod provenance;
mod row_groups;
pub mod signed_effects;
pub mod signed_tables;
pub mod sum_key;
pub mod transaction_sums;
pub mod transaction_view;
