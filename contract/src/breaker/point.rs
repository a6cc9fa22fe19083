//! Points at which money leaves.

use crate::string_enum;

string_enum! {
    /// A point at which money leaves, one for each kind of order.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum BreakerPoint("breaker point") {
        Refund = "refund",
        Settlement = "settlement",
        CashOut = "cash_out",
    }
}
