//! Sample of an order, for conditions to be tried on.

use crate::orders::Order;
use rust_decimal::Decimal;
use sluice_contract::order::{OrderKind, OrderState};

/// Makes an order of 1 in the currency of the fewest decimals.
pub(in crate::routing) fn sample(kind: OrderKind) -> Order {
    Order {
        account_id: "A-1".into(),
        order_id: "0".repeat(32),
        kind,
        client: "local".into(),
        transaction_id: "t-1".into(),
        biz_no: None,
        user_id: Some("user-1".into()),
        to_account: "payee-1".into(),
        bank: Some("ICBC".into()),
        payment_no: None,
        amount: Decimal::ONE,
        currency: sluice_contract::money::Currency::LOWEST,
        state: OrderState::Init,
        channel: None,
        serial_no: "0".repeat(32),
        trade_time: None,
        route: None,
        attempts: 0,
        queries: 0,
        sends: 0,
        notified_version: 0,
        notified_us: 0,
        notify_count: 0,
        acknowledged_us: None,
        has_open_case: false,
        result_code: None,
        version: 1,
        due_us: None,
        created_us: 0,
        updated_us: 0,
    }
}
