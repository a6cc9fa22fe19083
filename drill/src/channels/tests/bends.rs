//! Messages of which one field is bent: the manner bends what it says, and nothing else.

use crate::channels::kinds::TradeMessage;
use crate::channels::script::bend::{BentMessage, EchoedField, FieldBend};
use crate::channels::tests::{TRADE_TIME, bench, payment};
use crate::channels::{ScriptedAction, SimulatorKind};
use serde_json::Value;
use std::sync::Arc;

const FIELDS: [EchoedField; 5] = [
    EchoedField::SerialNo,
    EchoedField::TradeTime,
    EchoedField::Currency,
    EchoedField::Amount,
    EchoedField::Payee,
];

/// The object of a callback that tells of the payment.
fn callback_object(kind: SimulatorKind, bend: Option<FieldBend>) -> Value {
    let said = TradeMessage {
        pay: Arc::new(payment("S1", TRADE_TIME, "acct", 100)),
        code: kind.simulator().accepted().to_owned(),
        bend,
    };
    let body = kind.simulator().notice(&said).unwrap();
    let mut body: Value = serde_json::from_slice(&body).unwrap();
    match kind {
        SimulatorKind::Psp => body["data"].take(),
        SimulatorKind::NetsUnion | SimulatorKind::UnionPay => body,
    }
}

#[test]
fn one_field_is_another_or_is_left_out() {
    for kind in SimulatorKind::ALL {
        for field in FIELDS {
            let name = format!("/{}", kind.simulator().field(field).replace('.', "/"));
            let straight = callback_object(kind, None);
            let known = straight.pointer(&name).cloned();
            assert!(known.is_some(), "{kind} has no {name}");
            for missing in [false, true] {
                let bend = FieldBend {
                    field,
                    on: BentMessage::Callback,
                    missing,
                    times: 1,
                };
                let mut bent = callback_object(kind, Some(bend));
                let now = bent.pointer(&name).cloned();
                assert!(now != known && now.is_none() == missing, "{kind} {field:?}");
                // Put back, it is the same message.
                if let (false, Some(value)) = (missing, bent.pointer_mut(&name)) {
                    *value = known.clone().unwrap_or_default();
                    assert_eq!(bent, straight);
                }
            }
        }
    }
}

#[tokio::test]
async fn only_the_first_message_of_its_sort_is_bent_and_the_book_tells_the_truth() {
    let bench = bench().await;
    let kind = SimulatorKind::NetsUnion;
    let bend = FieldBend {
        field: EchoedField::Amount,
        on: BentMessage::QueryReply,
        missing: false,
        times: 1,
    };
    bench.script(kind, "acct", ScriptedAction::BendField(bend));
    let body = payment("S1", TRADE_TIME, "acct", 100);
    let paid = bench.call(kind, "pay", &body).await.1.unwrap();
    assert_eq!(paid.amount, Some(body.amount));
    let query = sluice_contract::wire::ChannelQuery {
        serial_no: "S1".into(),
        trade_time: TRADE_TIME.into(),
    };
    let first = bench.call(kind, "query", &query).await.1.unwrap();
    let second = bench.call(kind, "query", &query).await.1.unwrap();
    assert_ne!(first.amount, Some(body.amount));
    assert_eq!(second.amount, Some(body.amount));
    while bench.simulator.book().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(bench.simulator.book()[0].amount, body.amount);
}
