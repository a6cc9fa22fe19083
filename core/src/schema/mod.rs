//! The four schemas, each on its server: their migrations, whether they are as this
//! build needs them, and whether balances and ledger are the ones that these orders
//! were booked in.

mod migrate;
mod require;
mod store_identity;

pub use migrate::migrate;
pub use require::require;

use refinery::Runner;

mod orders {
    refinery::embed_migrations!("../migrations/orders");
}
mod balance {
    refinery::embed_migrations!("../migrations/balance");
}
mod ledger {
    refinery::embed_migrations!("../migrations/ledger");
}
mod guard {
    refinery::embed_migrations!("../migrations/guard");
}

/// URLs of the servers. Orders and guard always share one; balance and ledger are
/// there too, or each on its own.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrls {
    pub orders: String,
    pub balance: String,
    pub ledger: String,
}

impl DatabaseUrls {
    /// All four schemas on one server.
    pub fn together(url: &str) -> Self {
        DatabaseUrls {
            orders: url.to_owned(),
            balance: url.to_owned(),
            ledger: url.to_owned(),
        }
    }

    pub fn are_split(&self) -> bool {
        self.balance != self.orders || self.ledger != self.orders
    }

    /// The setting that names the server of a schema, and its URL.
    fn of(&self, part: &str) -> (&'static str, &str) {
        match part {
            "balance" if self.balance != self.orders => ("balance.url", &self.balance),
            "ledger" if self.ledger != self.orders => ("ledger.url", &self.ledger),
            _ => ("mysql.url", &self.orders),
        }
    }
}

/// The migrations of one schema; `part` is its name in `Schemas::each`.
fn runner_of(part: &str) -> Runner {
    match part {
        "orders" => orders::migrations::runner(),
        "balance" => balance::migrations::runner(),
        "ledger" => ledger::migrations::runner(),
        _ => guard::migrations::runner(),
    }
}
