//! Action upon an order that no channel takes.

use sluice_contract::string_enum;

string_enum! {
    /// Action upon an order that nothing but this rejects.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub enum NoRouteAction("otherwise") {
        /// The order waits: tomorrow, or after a change, it may go.
        #[default]
        Wait = "wait",
        /// The order fails and its money is released: waiting would not help.
        Fail = "fail",
    }
}
