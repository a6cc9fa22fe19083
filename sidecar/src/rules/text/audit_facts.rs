//! The catalogue of facts that the at-rest audit shows to rules, with their fields.

use crate::rules::text::tables::ColumnKind::{self, Int, Money, Text};
use crate::stream::change::{AuditFact, AuditSubject, ColumnValue};

/// `rows` is 0 if the account has entries and no balance. Amounts in major units.
pub const BOOK_FIELDS: [(&str, ColumnKind); 14] = [
    ("account_id", Text),
    ("currency", Text),
    ("rows", Int),
    ("balance", Money),
    ("available", Money),
    ("reserved", Money),
    ("intermediate", Money),
    ("intermediate_reserved", Money),
    ("version", Int),
    ("entries", Int),
    ("entries_available", Money),
    ("entries_reserved", Money),
    ("entries_intermediate", Money),
    ("entries_intermediate_reserved", Money),
];

pub const POSTING_FIELDS: [(&str, ColumnKind); 6] = [
    ("account_id", Text),
    ("posting_id", Text),
    ("currency", Text),
    ("lines", Int),
    ("debits", Money),
    ("credits", Money),
];

/// `rows` is 0 if orders took from a payment, or entries booked one, that has no row.
/// `orders_*` are the sums of the orders that took and neither failed nor came back.
pub const CAPTURE_FIELDS: [(&str, ColumnKind); 10] = [
    ("account_id", Text),
    ("payment_no", Text),
    ("currency", Text),
    ("rows", Int),
    ("captured", Money),
    ("refunded", Money),
    ("settled", Money),
    ("entries_captured", Money),
    ("orders_refunded", Money),
    ("orders_settled", Money),
];

/// `rows` is 0 if there are entries of an order that has no row. The last four are
/// what its entries say was reserved, finalized, released and returned.
pub const ORDER_FIELDS: [(&str, ColumnKind); 11] = [
    ("account_id", Text),
    ("order_id", Text),
    ("kind", Text),
    ("state", Text),
    ("currency", Text),
    ("rows", Int),
    ("amount", Money),
    ("reserved", Money),
    ("finalized", Money),
    ("released", Money),
    ("returned", Money),
];

/// `seal` is `missing`, `invalid` or `unknown_key`.
pub const ENTRY_FIELDS: [(&str, ColumnKind); 9] = [
    ("account_id", Text),
    ("posting_id", Text),
    ("line", Int),
    ("kind", Text),
    ("book", Text),
    ("side", Text),
    ("amount", Money),
    ("currency", Text),
    ("seal", Text),
];

/// In the order of their declaration.
pub const FACT_KINDS: [AuditSubject; 5] = [
    AuditSubject::Books,
    AuditSubject::Postings,
    AuditSubject::Captures,
    AuditSubject::Orders,
    AuditSubject::Entries,
];

/// Names and kinds of a fact's values, in their order.
pub fn fact_fields(of: AuditSubject) -> &'static [(&'static str, ColumnKind)] {
    match of {
        AuditSubject::Books => &BOOK_FIELDS,
        AuditSubject::Postings => &POSTING_FIELDS,
        AuditSubject::Captures => &CAPTURE_FIELDS,
        AuditSubject::Orders => &ORDER_FIELDS,
        AuditSubject::Entries => &ENTRY_FIELDS,
    }
}

/// As headers and people write it.
pub fn fact_name(of: AuditSubject) -> &'static str {
    match of {
        AuditSubject::Books => "books",
        AuditSubject::Postings => "postings",
        AuditSubject::Captures => "captures",
        AuditSubject::Orders => "orders",
        AuditSubject::Entries => "entries",
    }
}

/// The account whose it is; every fact begins with its account.
pub fn fact_account(fact: &AuditFact) -> &str {
    match fact.values.first() {
        Some(ColumnValue::Text(account)) => account,
        _ => "",
    }
}
