//! Scopes of limits.

use sluice_contract::string_enum;

string_enum! {
    /// Owner whose payments are counted together. In the order of the table's key:
    /// totals are locked in this order.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum LimitScope("a limit's scope") {
        Account = "account",
        /// The calling client.
        Business = "business",
        Channel = "channel",
        User = "user",
    }
}
