//! Decides a batch in memory: locked balances and requests in, a result for each
//! and everything to write out. Pure; nothing is written until all is decided.

use super::{Accepted, Ask, Deposit, Keyed, Refusal, Verdict, Withdraw};
use crate::balance::{Balance, BalanceError, Capture};
use crate::journal::order_event;
use crate::ledger::{Posting, PostingKind};
use crate::orders::Order;
use crate::orders::repo::KeyRow;
use sluice_contract::event::OrderEvent;
use sluice_contract::ids::{new_order_id, serial_no};
use sluice_contract::money::Currency;
use sluice_contract::order::{Kind, State};
use std::collections::BTreeMap;

/// A new order that nobody dispatched is looked for after this long.
const FIRST_LOOK_US: i64 = 2_000_000;

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

struct Books {
    balances: BTreeMap<(String, Currency), (Balance, bool)>,
    captures: BTreeMap<(String, String), (Capture, bool)>,
}

impl Books {
    fn new(locked: Vec<Balance>, captures: Vec<Capture>) -> Self {
        let keyed = locked.into_iter().map(|b| ((b.account_id.clone(), b.currency), (b, false)));
        let named = captures.into_iter().map(|c| ((c.account_id.clone(), c.payment_no.clone()), (c, false)));
        Books { balances: keyed.collect(), captures: named.collect() }
    }

    /// The captured payment that an order takes from, if it has that much left.
    fn payment(&mut self, ask: &Withdraw, payment_no: &str) -> Result<&mut (Capture, bool), Refusal> {
        let found = self.captures.get_mut(&(ask.account_id.clone(), payment_no.to_owned()));
        let found = found.filter(|(c, _)| c.currency == ask.currency).ok_or(Refusal::UnknownPayment)?;
        if found.0.left() < ask.amount { Err(Refusal::PaymentExceeded) } else { Ok(found) }
    }

    /// Takes the order's amount of its payment. A payment that this transaction made
    /// has its first version already.
    fn take(&mut self, ask: &Withdraw, payment_no: &str) -> Result<(), Refusal> {
        let (capture, touched) = self.payment(ask, payment_no)?;
        capture.take(ask.kind, ask.amount).map_err(|_| Refusal::PaymentExceeded)?;
        if !std::mem::replace(touched, true) {
            capture.version += 1;
        }
        Ok(())
    }

    fn knows(&self, account_id: &str) -> bool {
        let from = (account_id.to_owned(), Currency::LOWEST);
        self.balances.range(from..).next().is_some_and(|((id, _), _)| id == account_id)
    }

    /// The balance to change; marks it as touched by bumping its version once.
    fn change(
        &mut self,
        account_id: &str,
        currency: Currency,
        step: impl FnOnce(&mut Balance) -> Result<(), BalanceError>,
    ) -> Result<(), Refusal> {
        self.holds(account_id, currency)?;
        let Some((balance, touched)) = self.balances.get_mut(&(account_id.to_owned(), currency)) else {
            return Err(Refusal::UnknownBalance);
        };
        step(balance).map_err(refusal)?;
        if !std::mem::replace(touched, true) {
            balance.version += 1;
        }
        Ok(())
    }

    /// Whether there is such a balance at all.
    fn holds(&self, account_id: &str, currency: Currency) -> Result<(), Refusal> {
        if self.balances.contains_key(&(account_id.to_owned(), currency)) {
            return Ok(());
        }
        Err(if self.knows(account_id) { Refusal::UnknownBalance } else { Refusal::UnknownAccount })
    }

    fn open(&mut self, account_id: &str, currency: Currency) {
        let key = (account_id.to_owned(), currency);
        self.balances.entry(key).or_insert_with(|| (Balance::empty(account_id, currency), false));
    }
}

fn refusal(error: BalanceError) -> Refusal {
    match error {
        BalanceError::Insufficient | BalanceError::NotReserved => Refusal::InsufficientFunds,
        BalanceError::Overflow => Refusal::BalanceOverflow,
    }
}

/// Decides all requests against the locked balances, in order of arrival.
pub fn decide(batch: &[&Keyed], locked: Vec<Balance>, captures: Vec<Capture>, now_us: i64) -> Decided {
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
    out.captures = books.captures.into_values().filter(|(_, touched)| *touched).map(|(c, _)| c).collect();
    out.touched = books.balances.into_values().filter(|(_, touched)| *touched).map(|(b, _)| b).collect();
    out
}

fn withdraw(books: &mut Books, out: &mut Decided, keyed: &Keyed, ask: &Withdraw, now_us: i64) -> Verdict {
    // The payment is asked before the balance is touched and taken from after it, so
    // that whoever refuses leaves both as they were.
    books.holds(&ask.account_id, ask.currency)?;
    if let Some(payment_no) = &ask.payment_no {
        books.payment(ask, payment_no)?;
    }
    books.change(&ask.account_id, ask.currency, |b| b.reserve_for(ask.kind, ask.amount)).map_err(|e| {
        let captured = ask.kind != Kind::CashOut && e == Refusal::InsufficientFunds;
        if captured { Refusal::InsufficientCaptured } else { e }
    })?;
    if let Some(payment_no) = &ask.payment_no {
        books.take(ask, payment_no)?;
    }
    let order_id = new_order_id(&ask.account_id);
    let order = Order {
        account_id: ask.account_id.clone(),
        serial_no: serial_no(&order_id),
        order_id: order_id.clone(),
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
        state: State::Init,
        channel: ask.channel.clone(),
        trade_time: None,
        attempts: 0,
        queries: 0,
        result_code: None,
        version: 1,
        due_us: Some(now_us + FIRST_LOOK_US),
        created_us: now_us,
        updated_us: now_us,
    };
    out.postings.push(Posting::of_order(&order, PostingKind::Reserve));
    out.events.push(order_event(&order, &format!("{}.accepted", order.kind.word()), now_us));
    out.orders.push(order);
    Ok(Accepted { order_id, replayed: false })
}

fn deposit(books: &mut Books, out: &mut Decided, ask: &Deposit, now_us: i64) -> Verdict {
    books.open(&ask.account_id, ask.currency);
    books.change(&ask.account_id, ask.currency, |b| b.credit(ask.amount))?;
    let posting = Posting::deposit(&ask.account_id, &ask.biz_no, ask.amount, ask.currency);
    Ok(booked(out, posting, "deposit.booked", now_us))
}

fn capture(books: &mut Books, out: &mut Decided, ask: &super::Capture, now_us: i64) -> Verdict {
    let key = (ask.account_id.clone(), ask.payment_no.clone());
    if books.captures.contains_key(&key) {
        return Err(Refusal::AlreadyCaptured);
    }
    books.open(&ask.account_id, ask.currency);
    books.change(&ask.account_id, ask.currency, |b| b.capture(ask.amount))?;
    let mut made = Capture::new(&ask.account_id, &ask.payment_no, ask.amount, ask.currency);
    made.told_us = ask.told_us;
    made.version = 1;
    books.captures.insert(key, (made, true));
    let posting = Posting::capture(&ask.account_id, &ask.payment_no, ask.amount, ask.currency);
    Ok(booked(out, posting, "payment.captured", now_us))
}

/// Money came in: its posting and the event that tells of it.
fn booked(out: &mut Decided, posting: Posting, event: &str, now_us: i64) -> Accepted {
    let booking_id = new_order_id(&posting.account_id);
    out.events.push(OrderEvent {
        id: booking_id.clone(),
        kind: event.into(),
        account_id: posting.account_id.clone(),
        order_id: booking_id.clone(),
        transaction_id: posting.reference.clone(),
        biz_no: Some(posting.reference.clone()),
        amount: posting.amount,
        currency: posting.currency.code().into(),
        version: 1,
        occurred_us: now_us,
    });
    out.postings.push(posting);
    Accepted { order_id: booking_id, replayed: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_decimal::Decimal;

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
        let asks = [ask("A", 6_000, "1"), ask("A", 5_000, "2"), ask("B", 1, "3"), ask("A", 4_000, "4")];
        let decided = decide(&asks.iter().collect::<Vec<_>>(), vec![rich], vec![], 7);
        let shown: Vec<_> = decided.verdicts.iter().map(|v| v.as_ref().err().cloned()).collect();
        assert_eq!(shown, [None, Some(Refusal::InsufficientFunds), Some(Refusal::UnknownAccount), None]);
        assert_eq!(decided.orders.len(), 2);
        assert_eq!(decided.keys.len(), 2, "a refused request does not burn its key");
        assert_eq!(decided.touched.len(), 1);
        let after = &decided.touched[0];
        assert_eq!((after.available, after.reserved, after.version), (Decimal::ZERO, Decimal::new(10_000, 2), 1));
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
                told_us: 5,
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
        let shown: Vec<_> = decided.verdicts.iter().map(|v| v.as_ref().err().cloned()).collect();
        let (exceeded, unknown) = (Some(Refusal::PaymentExceeded), Some(Refusal::UnknownPayment));
        assert_eq!(shown, [None, None, exceeded.clone(), None, unknown, exceeded]);
        let capture = &decided.captures[0];
        assert_eq!((capture.refunded, capture.settled, capture.version), (Decimal::from(6), Decimal::from(4), 1));
        let balance = &decided.touched[0];
        assert_eq!((balance.intermediate, balance.intermediate_reserved), (Decimal::ZERO, Decimal::TEN));
        assert_eq!(
            decided.events.iter().map(|e| e.kind.as_str()).collect::<Vec<_>>(),
            ["payment.captured", "refund.accepted", "settlement.accepted"]
        );
    }

    #[test]
    fn a_settled_account_refunds_nothing_although_the_payment_has_it_left() {
        let mut balance = Balance::empty("M", cny());
        balance.capture(Decimal::ONE).unwrap();
        let payment = Capture::new("M", "p", Decimal::TEN, cny());
        let asks = [from_payment(Kind::Refund, "p", 200, "1")];
        let decided = decide(&asks.iter().collect::<Vec<_>>(), vec![balance], vec![payment], 7);
        assert_eq!(decided.verdicts, [Err(Refusal::InsufficientCaptured)]);
        assert!(decided.captures.is_empty() && decided.touched.is_empty() && decided.keys.is_empty());
    }
}
