//! Names of an order's request. Each stands for one order for good, and all are rows of
//! `idempotency`, written with the order in one statement: whichever is repeated, by
//! whatever door, finds the first order.
//!
//! | name | row | for |
//! |---|---|---|
//! | key | the caller's header, or `tx:<transactionId>` for `/withdraw/submit` | every request |
//! | transaction id | `tx:<transactionId>` | what names one |
//! | business number | `biz/<kind>/<bizNo>` | a first try |
//! | predecessor | `next/<order>` | a new try of a failed order: each has one successor |
//!
//! No header holds a slash. Names of a client's users are hashed with the user.

use crate::orders::Order;
use sha2::{Digest, Sha256};
use sluice_contract::order::OrderKind;

/// Begins the transaction ids that the core makes for requests without one. No caller may
/// use it, so they are unique without a row.
pub const GENERATED_TRANSACTION_PREFIX: &str = "auto:";

/// Kind of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestName {
    Key,
    Predecessor,
    BizNo,
    TransactionId,
}

impl RequestName {
    /// The field in which callers send it.
    pub fn field(self) -> &'static str {
        match self {
            RequestName::Key => "idempotent-key",
            RequestName::Predecessor => "predecessorId",
            RequestName::BizNo => "bizNo",
            RequestName::TransactionId => "transactionId",
        }
    }

    /// The word for it in a sentence.
    pub fn word(self) -> &'static str {
        match self {
            RequestName::Key => "key",
            RequestName::Predecessor => "predecessor",
            RequestName::BizNo => "business number",
            RequestName::TransactionId => "transaction id",
        }
    }
}

/// Makes the names besides the key, the strongest first, before they are scoped.
pub fn names_of(
    kind: OrderKind,
    predecessor: Option<&str>,
    biz_no: Option<&str>,
    transaction: &str,
) -> Vec<(RequestName, String)> {
    let business = match (predecessor, biz_no) {
        // Its business number is the first try's.
        (Some(order), _) => Some((RequestName::Predecessor, format!("next/{order}"))),
        (None, Some(no)) => Some((RequestName::BizNo, format!("biz/{}/{no}", kind.as_str()))),
        (None, None) => None,
    };
    let is_callers = !transaction.is_empty() && !is_generated(transaction);
    let transaction = is_callers.then(|| (RequestName::TransactionId, format!("tx:{transaction}")));
    business.into_iter().chain(transaction).collect()
}

/// Names of an order besides its key, as they are stored.
pub fn names_of_order(order: &Order) -> Vec<String> {
    let scope = order.key_scope.as_deref().unwrap_or_default();
    names_of(
        order.kind,
        order.predecessor_id.as_deref(),
        order.biz_no.as_deref(),
        &order.transaction_id,
    )
    .into_iter()
    .map(|(_, text)| scoped(scope, text))
    .collect()
}

/// Tells whether the core made this transaction id.
pub fn is_generated(transaction_id: &str) -> bool {
    transaction_id.starts_with(GENERATED_TRANSACTION_PREFIX)
}

/// The name as it is stored: one user's is never another's.
pub fn scoped(scope: &str, name: String) -> String {
    if scope.is_empty() {
        return name;
    }
    let digest = Sha256::digest(format!("{scope}\n{name}"));
    format!("u/{}", hex::encode(digest))
}
