//! The one sample of an order: routing tries its conditions on it, and tests begin with it.

use crate::orders::Order;
use rust_decimal::Decimal;
use sluice_contract::money::Currency;
use sluice_contract::order::OrderKind;

/// Makes an accepted order of 1 unit of the currency with the fewest decimals, for a
/// payee at a bank, that nobody has sent yet.
pub fn sample(kind: OrderKind) -> Order {
    Order {
        client: "local".into(),
        transaction_id: "t-1".into(),
        user_id: Some("user-1".into()),
        to_account: "payee-1".into(),
        bank: Some("ICBC".into()),
        ..Order::blank("A-1", &"0".repeat(32), kind, Decimal::ONE, Currency::LOWEST)
    }
}
