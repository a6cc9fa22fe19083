use super::*;
use crate::accept::decide::new_order;
use crate::orders::names::names_of_order;
use proptest::prelude::*;
use rust_decimal::Decimal;
use sluice_contract::order::{OrderKind, OrderState};
use std::collections::HashSet;

fn request(scope: &str, key: &str) -> IdempotentRequest {
    IdempotentRequest {
        client: "c".into(),
        scope: scope.into(),
        key: key.into(),
        request_hash: "h".into(),
        origin: sluice_contract::traces::RequestOrigin::fresh(),
        repeat_only: false,
        booking: BookingRequest::Withdraw(WithdrawalBooking {
            account_id: "A".into(),
            kind: OrderKind::CashOut,
            to_account: "to".into(),
            amount: Decimal::ONE,
            currency: "CNY".parse().unwrap(),
            user_id: None,
            transaction_id: "auto:1".into(),
            biz_no: None,
            channel: None,
            bank: None,
            payment_no: None,
            predecessor_id: None,
            unknown_payer_ok: false,
        }),
    }
}

fn with(scope: &str, key: &str, set: impl Fn(&mut WithdrawalBooking)) -> IdempotentRequest {
    let mut request = request(scope, key);
    if let BookingRequest::Withdraw(w) = &mut request.booking {
        set(w);
    }
    request
}

fn stored(request: &IdempotentRequest) -> Vec<String> {
    request.names().into_iter().map(|(_, text)| text).collect()
}

#[test]
fn each_name_has_its_row_and_none_comes_twice() {
    assert_eq!(stored(&request("", "k")), ["k"]);
    let named = with("", "k", |w| {
        w.biz_no = Some("b".into());
        w.transaction_id = "t".into();
    });
    assert_eq!(stored(&named), ["k", "biz/cash_out/b", "tx:t"]);
    let submitted = with("", "tx:t", |w| w.transaction_id = "t".into());
    assert_eq!(stored(&submitted), ["tx:t"]);
    let again = with("", "k", |w| {
        w.biz_no = Some("b".into());
        w.predecessor_id = Some("o".into());
    });
    assert_eq!(stored(&again), ["k", "next/o"]);
    let BookingRequest::Withdraw(booking) = &named.booking else {
        unreachable!()
    };
    let order = new_order(&named, booking, OrderState::Init, 1);
    assert_eq!(names_of_order(&order), stored(&named)[1..]);
}

#[test]
fn the_identity_is_the_strongest_name_of_one_client_and_scope() {
    let biz = |scope: &str, key: &str| with(scope, key, |w| w.biz_no = Some("b".into()));
    assert_eq!(biz("", "k1").identity(), biz("", "k2").identity());
    assert_ne!(biz("", "k").identity(), biz("u", "k").identity());
    assert_ne!(request("", "k1").identity(), request("", "k2").identity());
    let door = |key: &str| with("", key, |w| w.transaction_id = "t".into());
    assert_eq!(door("k").identity(), door("tx:t").identity());
    assert_eq!(door("k").identity().len(), IDENTITY_LEN);
}

proptest! {
    #[test]
    fn names_of_different_kinds_users_and_clients_never_meet(
        texts in prop::collection::hash_set("[a-z:._-]{1,12}", 2..6),
        scopes in prop::collection::hash_set("[a-z]{0,6}", 2..4),
    ) {
        let mut seen = HashSet::new();
        for scope in &scopes {
            for text in &texts {
                let keyed = request(scope, text);
                let biz = with(scope, "-", |w| w.biz_no = Some(text.clone()));
                let refund = with(scope, "-", |w| {
                    w.biz_no = Some(text.clone());
                    w.kind = OrderKind::Refund;
                });
                let next = with(scope, "-", |w| w.predecessor_id = Some(text.clone()));
                prop_assert!(seen.insert(stored(&keyed)[0].clone()));
                for other in [biz, refund, next] {
                    prop_assert!(seen.insert(stored(&other)[1].clone()));
                    prop_assert!(stored(&other).iter().all(|name| name.len() <= 80));
                }
            }
        }
    }
}
