//! Decides a batch in memory: locked balances and requests in, a result for each
//! and everything to write out. Pure; nothing is written until all is decided.

use super::{Accepted, Ask, Deposit, Keyed, Verdict, Withdraw};
use crate::balance::{Balance, Books, Capture};
use crate::journal::order_event;
use crate::ledger::{Posting, PostingKind};
use crate::orders::Order;
use crate::orders::repo::KeyRow;
use sluice_contract::event::OrderEvent;
use sluice_contract::ids::{new_order_id, serial_no};
use sluice_contract::order::State;

/// A new order that nobody dispatched is looked for after this long.
pub const FIRST_LOOK_US: i64 = 2_000_000;

/// What a batch writes, and each request's result in the batch's order.
#[derive(Debug, Default)]
pub struct Decided {
    pub verdicts: Vec<Verdict>,
    pub keys: Vec<KeyRow>,
    pub orders: Vec<Order>,
    pub touched: Vec<Balance>,
    pub captures: Vec<Capture>,
    pub postings: Vec<Posting>,
    pub events: Vec<OrderEvent>,
}

/// Decides all requests against the locked balances, in order of arrival.
pub fn decide(
    batch: &[&Keyed],
    locked: Vec<Balance>,
    captures: Vec<Capture>,
    now_us: i64,
) -> Decided {
    let mut books = Books::new(locked, captures);
    let mut out = Decided::default();
    for keyed in batch {
        let verdict = match &keyed.ask {
            Ask::Withdraw(w) => withdraw(&mut books, &mut out, keyed, w, now_us),
            Ask::Deposit(d) => deposit(&mut books, &mut out, d, now_us),
            Ask::Capture(c) => capture(&mut books, &mut out, c, now_us),
        };
        if let Ok(accepted) = &verdict {
            out.keys.push(KeyRow {
                client: keyed.client.clone(),
                key: keyed.key.clone(),
                request_hash: keyed.request_hash.clone(),
                account_id: keyed.ask.account_id().to_owned(),
                order_id: accepted.order_id.clone(),
            });
        }
        out.verdicts.push(verdict);
    }
    (out.touched, out.captures) = books.touched();
    out
}

fn withdraw(
    books: &mut Books,
    out: &mut Decided,
    keyed: &Keyed,
    ask: &Withdraw,
    now_us: i64,
) -> Verdict {
    books
        .book(PostingKind::Reserve, &ask.sum())
        .map_err(|e| keyed.ask.refusal(e))?;
    let order = new_order(keyed, ask, State::Init, now_us);
    out.postings
        .push(Posting::of_order(&order, PostingKind::Reserve));
    out.events.push(accepted_event(&order, now_us));
    let order_id = order.order_id.clone();
    out.orders.push(order);
    Ok(Accepted {
        order_id,
        replayed: false,
    })
}

/// The order that a request becomes.
pub fn new_order(keyed: &Keyed, ask: &Withdraw, state: State, now_us: i64) -> Order {
    let order_id = new_order_id(&ask.account_id);
    Order {
        account_id: ask.account_id.clone(),
        serial_no: serial_no(&order_id),
        order_id,
        kind: ask.kind,
        client: keyed.client.clone(),
        transaction_id: ask.transaction_id.clone(),
        biz_no: ask.biz_no.clone(),
        user_id: ask.user_id.clone(),
        to_account: ask.to_account.clone(),
        bank: ask.bank.clone(),
        payment_no: ask.payment_no.clone(),
        route: None,
        amount: ask.amount,
        currency: ask.currency,
        state,
        channel: ask.channel.clone(),
        trade_time: None,
        attempts: 0,
        queries: 0,
        sends: 0,
        notified_version: 1,
        notified_us: now_us,
        notify_count: 0,
        acknowledged_us: None,
        has_open_case: false,
        result_code: None,
        version: 1,
        due_us: Some(now_us + FIRST_LOOK_US),
        created_us: now_us,
        updated_us: now_us,
    }
}

/// Tells that the order's money is reserved.
pub fn accepted_event(order: &Order, now_us: i64) -> OrderEvent {
    order_event(order, &format!("{}.accepted", order.kind.word()), now_us)
}

fn deposit(books: &mut Books, out: &mut Decided, ask: &Deposit, now_us: i64) -> Verdict {
    books.book(PostingKind::Deposit, &ask.sum())?;
    let posting = Posting::deposit(&ask.account_id, &ask.biz_no, ask.amount, ask.currency);
    Ok(booked(out, posting, now_us))
}

fn capture(books: &mut Books, out: &mut Decided, ask: &super::Capture, now_us: i64) -> Verdict {
    books.book(PostingKind::Capture, &ask.sum())?;
    books.told(&ask.account_id, &ask.payment_no, ask.event_time_us);
    let posting = Posting::capture(&ask.account_id, &ask.payment_no, ask.amount, ask.currency);
    Ok(booked(out, posting, now_us))
}

/// Money came in: its posting and the event that tells of it.
fn booked(out: &mut Decided, posting: Posting, now_us: i64) -> Accepted {
    let booking_id = new_order_id(&posting.account_id);
    out.events
        .push(incoming_event(&posting, &booking_id, now_us));
    out.postings.push(posting);
    Accepted {
        order_id: booking_id,
        replayed: false,
    }
}

/// Tells that money came in.
pub fn incoming_event(posting: &Posting, booking_id: &str, now_us: i64) -> OrderEvent {
    let kind = if posting.kind == PostingKind::Capture {
        "payment.captured"
    } else {
        "deposit.booked"
    };
    OrderEvent {
        id: booking_id.to_owned(),
        kind: kind.into(),
        account_id: posting.account_id.clone(),
        order_id: booking_id.to_owned(),
        transaction_id: posting.reference.clone(),
        biz_no: Some(posting.reference.clone()),
        amount: posting.amount,
        currency: posting.currency.code().into(),
        version: 1,
        occurred_us: now_us,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accept::Refusal;
    use rust_decimal::Decimal;
    use sluice_contract::money::Currency;
    use sluice_contract::order::Kind;

    fn cny() -> Currency {
        "CNY".parse().unwrap()
    }

    fn ask(account: &str, cents: i64, key: &str) -> Keyed {
        Keyed {
            client: "c".into(),
            key: key.into(),
            request_hash: "h".into(),
            ask: Ask::Withdraw(Withdraw {
                account_id: account.into(),
                kind: Kind::CashOut,
                to_account: "to".into(),
                amount: Decimal::new(cents, 2),
                currency: cny(),
                user_id: None,
                transaction_id: key.into(),
                biz_no: None,
                channel: None,
                bank: None,
                payment_no: None,
            }),
        }
    }

    #[test]
    fn one_failure_does_not_fail_a_neighbour_and_nothing_overdraws() {
        let mut rich = Balance::empty("A", cny());
        rich.credit(Decimal::new(10_000, 2)).unwrap();
        let asks = [
            ask("A", 6_000, "1"),
            ask("A", 5_000, "2"),
            ask("B", 1, "3"),
            ask("A", 4_000, "4"),
        ];
        let decided = decide(&asks.iter().collect::<Vec<_>>(), vec![rich], vec![], 7);
        let shown: Vec<_> = decided
            .verdicts
            .iter()
            .map(|v| v.as_ref().err().cloned())
            .collect();
        assert_eq!(
            shown,
            [
                None,
                Some(Refusal::InsufficientFunds),
                Some(Refusal::UnknownAccount),
                None
            ]
        );
        assert_eq!(decided.orders.len(), 2);
        assert_eq!(
            decided.keys.len(),
            2,
            "a refused request does not burn its key"
        );
        assert_eq!(decided.touched.len(), 1);
        let after = &decided.touched[0];
        assert_eq!(
            (after.available, after.reserved, after.version),
            (Decimal::ZERO, Decimal::new(10_000, 2), 1)
        );
    }

    #[test]
    fn a_deposit_opens_its_account_for_the_same_batch() {
        let first = Keyed {
            client: "c".into(),
            key: "d".into(),
            request_hash: "h".into(),
            ask: Ask::Deposit(Deposit {
                account_id: "N".into(),
                amount: Decimal::TEN,
                currency: cny(),
                biz_no: "p".into(),
            }),
        };
        let second = ask("N", 1_000, "w");
        let decided = decide(&[&first, &second], vec![], vec![], 7);
        assert!(decided.verdicts.iter().all(Result::is_ok));
        assert_eq!(decided.touched[0].version, 1);
    }

    fn from_payment(kind: Kind, payment_no: &str, cents: i64, key: &str) -> Keyed {
        let mut keyed = ask("M", cents, key);
        if let Ask::Withdraw(w) = &mut keyed.ask {
            w.kind = kind;
            w.payment_no = Some(payment_no.to_owned());
        }
        keyed
    }

    #[test]
    fn a_payment_bounds_its_refunds_and_settlements_and_a_refusal_touches_nothing() {
        let captured = Keyed {
            client: "kafka".into(),
            key: "pay/M/p".into(),
            request_hash: "h".into(),
            ask: Ask::Capture(super::super::Capture {
                account_id: "M".into(),
                amount: Decimal::TEN,
                currency: cny(),
                payment_no: "p".into(),
                event_time_us: 5,
            }),
        };
        let asks = [
            captured,
            from_payment(Kind::Refund, "p", 600, "1"),
            from_payment(Kind::Settlement, "p", 500, "2"),
            from_payment(Kind::Settlement, "p", 400, "3"),
            from_payment(Kind::Refund, "q", 1, "4"),
            from_payment(Kind::Refund, "p", 1, "5"),
        ];
        let decided = decide(&asks.iter().collect::<Vec<_>>(), vec![], vec![], 7);
        let shown: Vec<_> = decided
            .verdicts
            .iter()
            .map(|v| v.as_ref().err().cloned())
            .collect();
        let (exceeded, unknown) = (
            Some(Refusal::PaymentExceeded),
            Some(Refusal::UnknownPayment),
        );
        assert_eq!(
            shown,
            [None, None, exceeded.clone(), None, unknown, exceeded]
        );
        let capture = &decided.captures[0];
        assert_eq!(
            (capture.refunded, capture.settled, capture.version),
            (Decimal::from(6), Decimal::from(4), 1)
        );
        let balance = &decided.touched[0];
        assert_eq!(
            (balance.intermediate, balance.intermediate_reserved),
            (Decimal::ZERO, Decimal::TEN)
        );
        assert_eq!(
            decided
                .events
                .iter()
                .map(|e| e.kind.as_str())
                .collect::<Vec<_>>(),
            ["payment.captured", "refund.accepted", "settlement.accepted"]
        );
    }

    #[test]
    fn a_settled_account_refunds_nothing_although_the_payment_has_it_left() {
        let mut balance = Balance::empty("M", cny());
        balance.capture(Decimal::ONE).unwrap();
        let payment = Capture::new("M", "p", Decimal::TEN, cny());
        let asks = [from_payment(Kind::Refund, "p", 200, "1")];
        let decided = decide(
            &asks.iter().collect::<Vec<_>>(),
            vec![balance],
            vec![payment],
            7,
        );
        assert_eq!(decided.verdicts, [Err(Refusal::InsufficientCaptured)]);
        assert!(
            decided.captures.is_empty() && decided.touched.is_empty() && decided.keys.is_empty()
        );
    }
}
