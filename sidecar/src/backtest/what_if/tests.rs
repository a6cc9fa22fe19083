//! Breakers that no rule can open by itself, opened by hand.

use crate::backtest::what_if::{BreakerEffects, BreakerSimulator};
use crate::rules::parse_header;
use crate::rules::runtime::finding::{Finding, FindingOutcome};
use crate::stream::change::{
    ChangeOp, ChangeTransaction, ColumnValue, RowChange, RowImage, TableSchema,
};
use rust_decimal::Decimal;
use sluice_contract::breaker::{BreakerKey, BreakerPoint, BreakerScope};
use std::sync::Arc;

const HEADER: &str = "//! id = \"any\"\n//! guards = \"g\"\n//! kind = \"duplicate\"\n\
    //! severity = \"minor\"\n//! mode = \"trip\"\n//! breaker = \"cash_out/account\"\n\
    //! owner = \"o\"\n//! runbook = \"r\"\n//! [trigger]\n//! on = \"row\"\n\
    //! table = \"balance\"\n//! ops = [\"insert\"]\nfn check(row) {}\n";

fn finding(breaker: BreakerKey) -> Finding {
    Finding {
        verdict_id: "0".repeat(32),
        before: None,
        rule: Arc::new(parse_header("any", HEADER).unwrap()),
        rule_hash: "0".repeat(16),
        outcome: FindingOutcome::Violation,
        position: "0-1-1".into(),
        item: "item".to_owned(),
        account: "A1".to_owned(),
        message: String::new(),
        breakers: vec![breaker],
        amount: None,
        detail: None,
    }
}

/// A cash-out of account A1 by channel C1 over 7 CNY is claimed.
fn claim() -> ChangeTransaction {
    let columns = [
        ("account_id", "A1"),
        ("order_id", "o1"),
        ("kind", "cash_out"),
        ("channel", "C1"),
        ("currency", "CNY"),
        ("amount", "7"),
        ("state", "dispatching"),
    ];
    let image = |state: &str| -> RowImage {
        let value = |(name, text): &(&str, &str)| match *name {
            "amount" => ColumnValue::Dec(Decimal::from_str_exact(text).unwrap()),
            "state" => ColumnValue::Text(state.into()),
            _ => ColumnValue::Text((*text).into()),
        };
        columns.iter().map(value).collect()
    };
    ChangeTransaction {
        position: "0-1-2".into(),
        changes: vec![Arc::new(RowChange {
            table: Arc::new(TableSchema::new(
                "orders",
                columns.map(|(name, _)| name.to_owned()).to_vec(),
            )),
            op: ChangeOp::Update,
            before: Some(image("init")),
            after: Some(image("dispatching")),
        })],
    }
}

fn effects_of(breaker: BreakerKey) -> BreakerEffects {
    let mut simulator = BreakerSimulator::new(None);
    simulator.time(1);
    simulator.finding(&finding(breaker));
    simulator.time(2);
    simulator.transaction(&claim());
    simulator.end()
}

#[test]
fn an_open_merchant_breaker_holds_its_orders() {
    let merchant = |key| BreakerKey::new(BreakerPoint::CashOut, BreakerScope::Merchant, key);
    let held = effects_of(merchant("A1").unwrap());
    assert_eq!(held.held["CNY"].orders, 1);
    assert_eq!(held.held["CNY"].amount, Decimal::from(7));
    assert_eq!(held.openings[0].breaker, "cash_out/merchant/A1");
    assert_eq!(held.openings[0].held, held.held);
    assert!(effects_of(merchant("A2").unwrap()).held.is_empty());
}

#[test]
fn every_scope_holds_what_it_covers() {
    let table = [
        (BreakerScope::All, "*"),
        (BreakerScope::Channel, "C1"),
        (BreakerScope::Merchant, "A1"),
        (BreakerScope::Account, "A1"),
        (BreakerScope::Currency, "CNY"),
    ];
    assert_eq!(table.map(|(scope, _)| scope), BreakerScope::ALL);
    for (scope, key) in table {
        for point in BreakerPoint::ALL {
            let held = effects_of(BreakerKey::new(point, scope, key).unwrap()).held;
            let wanted = usize::from(point == BreakerPoint::CashOut);
            assert_eq!(held.len(), wanted, "{point:?} {scope:?}");
        }
    }
}
