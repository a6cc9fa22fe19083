use super::*;
use crate::accept::decide::new_order;
use rust_decimal::Decimal;

fn booking() -> WithdrawalBooking {
    WithdrawalBooking {
        account_id: "A".into(),
        kind: OrderKind::Refund,
        to_account: "to".into(),
        amount: Decimal::new(1_000, 2),
        currency: "CNY".parse().unwrap(),
        user_id: Some("u".into()),
        transaction_id: "t".into(),
        biz_no: Some("b".into()),
        channel: Some("psp".into()),
        bank: Some("ICBC".into()),
        payment_no: Some("p".into()),
        predecessor_id: None,
        unknown_payer_ok: false,
    }
}

fn request(booking: WithdrawalBooking) -> IdempotentRequest {
    IdempotentRequest {
        client: "c".into(),
        scope: String::new(),
        key: "k".into(),
        request_hash: "h".into(),
        origin: sluice_contract::traces::RequestOrigin::fresh(),
        repeat_only: false,
        booking: BookingRequest::Withdraw(booking),
    }
}

fn first(booking: WithdrawalBooking) -> Order {
    new_order(&request(booking.clone()), &booking, OrderState::Init, 1)
}

#[test]
fn a_request_that_differs_is_told_in_which_field() {
    let order = first(booking());
    type Difference = (fn(&mut WithdrawalBooking), Option<&'static str>);
    let differs: [Difference; 16] = [
        (|_| (), None),
        (|w| w.amount.rescale(4), None),
        (|w| w.account_id = "B".into(), Some("accountId")),
        (|w| w.kind = OrderKind::CashOut, Some("kind")),
        (|w| w.to_account = "x".into(), Some("toAccountId")),
        (|w| w.amount += Decimal::ONE, Some("amount")),
        (|w| w.currency = "USD".parse().unwrap(), Some("currency")),
        (|w| w.user_id = None, Some("userId")),
        (|w| w.biz_no = None, Some("bizNo")),
        (|w| w.bank = None, Some("bankCode")),
        (|w| w.payment_no = None, Some("paymentNo")),
        (|w| w.channel = None, Some("channel")),
        (
            |w| w.predecessor_id = Some("o".into()),
            Some("predecessorId"),
        ),
        (|w| w.transaction_id = "x".into(), Some("transactionId")),
        (
            |w| w.transaction_id = "auto:1".into(),
            Some("transactionId"),
        ),
        (|w| w.transaction_id = String::new(), Some("transactionId")),
    ];
    for (at, (change, field)) in differs.into_iter().enumerate() {
        let mut again = booking();
        change(&mut again);
        assert_eq!(difference(&order, &again), field, "{at}");
    }
}

#[test]
fn ids_that_the_core_made_are_no_difference() {
    for made in ["auto:7", "0191f7c6a1b27c3d8e4f5a6b7c8d9e0f"] {
        let mut one = booking();
        one.transaction_id = made.into();
        let mut again = booking();
        again.transaction_id = "auto:8".into();
        assert_eq!(difference(&first(one), &again), None, "{made}");
    }
}

#[test]
fn only_a_failed_order_of_the_same_number_is_tried_again() {
    let mut again = booking();
    let mut order = first(booking());
    again.predecessor_id = Some(order.order_id.clone());
    let verdict = |order: &Order, again: &WithdrawalBooking, scope: &str| {
        let known = KnownRequests {
            orders: HashMap::from([(order.order_id.clone(), order.clone())]),
            ..KnownRequests::default()
        };
        let mut asked = request(again.clone());
        asked.scope = scope.into();
        known.answer(&asked)
    };
    let refused = |why| Some(Err(AcceptError::BadPredecessor(why)));
    assert_eq!(
        verdict(&order, &again, ""),
        refused("that order has not failed")
    );
    order.state = OrderState::Failed;
    assert_eq!(verdict(&order, &again, ""), None, "it may be made");
    let nobodys = "no such order of this account";
    assert_eq!(verdict(&order, &again, "a user"), refused(nobodys));
    let mut other = again.clone();
    other.biz_no = Some("x".into());
    assert_eq!(
        verdict(&order, &other, ""),
        refused("that order has another bizNo")
    );
    order.client = "somebody".into();
    assert_eq!(verdict(&order, &again, ""), refused(nobodys));
}
