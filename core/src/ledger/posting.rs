//! Postings: two balanced entries each, and the books that they name.

use crate::config::INTAKE_CLIENT;
use crate::ledger::{EntrySide, PostingKind};
use crate::orders::Order;
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};
use sluice_contract::money::Currency;
use sluice_contract::order::OrderKind;

/// Two lines, one amount: the debit and the credit of one step. Balanced by
/// construction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    pub account_id: String,
    /// Derived from what is booked, so that the primary key books it once.
    pub posting_id: String,
    pub kind: PostingKind,
    pub debit_book: String,
    pub credit_book: String,
    pub amount: Decimal,
    pub currency: Currency,
    /// Order id, or the payment's own number for a deposit.
    pub reference: String,
    /// The client that asked for it: who booked what can be answered for good.
    pub client: String,
}

/// Width of `posting_id`.
const MAX_POSTING_ID_BYTES: usize = 72;
pub const AVAILABLE_BOOK: &str = "available";
pub const RESERVED_BOOK: &str = "reserved";
pub const INTERMEDIATE_BOOK: &str = "intermediate";
pub const INTERMEDIATE_RESERVED_BOOK: &str = "intermediate_reserved";
/// The books that are the account's own; their sums are its balance.
pub const ACCOUNT_BOOKS: [&str; 4] = [
    AVAILABLE_BOOK,
    RESERVED_BOOK,
    INTERMEDIATE_BOOK,
    INTERMEDIATE_RESERVED_BOOK,
];
pub const PAYMENTS_CLEARING_BOOK: &str = "clearing.payments";

/// Step that settles an order's reserved money.
const END_STEP: &str = "end";

/// Names the posting that settles the order's reserved money.
pub(super) fn end_id(order_id: &str) -> String {
    step_id(order_id, END_STEP)
}

fn step_id(order_id: &str, step: &str) -> String {
    format!("{order_id}-{step}")
}

impl Posting {
    /// Money that an upstream received for the account, to be used at once. Each client
    /// numbers its payments by itself: no other can take a number away from it.
    pub fn deposit(
        client: &str,
        account_id: &str,
        biz_no: &str,
        amount: Decimal,
        currency: Currency,
    ) -> Self {
        Posting {
            posting_id: deposit_id(client, biz_no),
            kind: PostingKind::Deposit,
            credit_book: AVAILABLE_BOOK.to_owned(),
            client: client.to_owned(),
            ..Self::capture(account_id, biz_no, amount, currency)
        }
    }

    /// A payment that a payer made to the merchant: onto the intermediate account.
    pub fn capture(
        account_id: &str,
        payment_no: &str,
        amount: Decimal,
        currency: Currency,
    ) -> Self {
        Posting {
            account_id: account_id.to_owned(),
            posting_id: format!("pay-{payment_no}"),
            kind: PostingKind::Capture,
            debit_book: PAYMENTS_CLEARING_BOOK.to_owned(),
            credit_book: INTERMEDIATE_BOOK.to_owned(),
            amount,
            currency,
            reference: payment_no.to_owned(),
            client: INTAKE_CLIENT.to_owned(),
        }
    }

    /// `finalize` and `release` share the posting id `<order>-end`: whatever the
    /// code above does, an order's reserved money is settled once.
    pub fn of_order(order: &Order, kind: PostingKind) -> Self {
        let clearing = || format!("clearing.{}", order.channel.as_deref().unwrap_or("none"));
        let (free, held) = match order.kind {
            OrderKind::CashOut => (AVAILABLE_BOOK.to_owned(), RESERVED_BOOK.to_owned()),
            OrderKind::Refund | OrderKind::Settlement => (
                INTERMEDIATE_BOOK.to_owned(),
                INTERMEDIATE_RESERVED_BOOK.to_owned(),
            ),
        };
        let gone = || {
            if order.kind == OrderKind::Settlement {
                AVAILABLE_BOOK.to_owned()
            } else {
                clearing()
            }
        };
        let (step, debit, credit) = match kind {
            PostingKind::Reserve | PostingKind::Deposit | PostingKind::Capture => {
                ("reserve", free, held)
            }
            PostingKind::Finalize => (END_STEP, held, gone()),
            PostingKind::Release => (END_STEP, held, free),
            PostingKind::Return => ("return", gone(), free),
        };
        Posting {
            account_id: order.account_id.clone(),
            posting_id: step_id(&order.order_id, step),
            kind,
            debit_book: debit,
            credit_book: credit,
            amount: order.amount,
            currency: order.currency,
            reference: order.order_id.clone(),
            client: order.client.clone(),
        }
    }

    /// Names what the posting changes of the account's balance.
    pub fn sum<'a>(&'a self, kind: OrderKind, payment_no: Option<&'a str>) -> BookingAmount<'a> {
        BookingAmount {
            account_id: &self.account_id,
            amount: self.amount,
            currency: self.currency,
            kind,
            payment_no,
            counterparty: None,
            unknown_payer_ok: false,
        }
    }

    /// Lists the two entries: side and book.
    pub fn lines(&self) -> [(EntrySide, &str); 2] {
        [
            (EntrySide::Debit, &self.debit_book),
            (EntrySide::Credit, &self.credit_book),
        ]
    }
}

/// Names a deposit's posting: a slash is in neither name nor number, and neither is cut.
fn deposit_id(client: &str, biz_no: &str) -> String {
    let plain = format!("dep-{client}/{biz_no}");
    if plain.len() <= MAX_POSTING_ID_BYTES {
        plain
    } else {
        format!("dep-{}", hex::encode(Sha256::digest(plain)))
    }
}

/// An amount of an account's money, and the kind of order that it is for.
#[derive(Debug, Clone, Copy)]
pub struct BookingAmount<'a> {
    pub account_id: &'a str,
    /// Major units of `currency`.
    pub amount: Decimal,
    pub currency: Currency,
    pub kind: OrderKind,
    /// The captured payment that is made, taken from, or given back to.
    pub payment_no: Option<&'a str>,
    /// The payer of that payment, or the payee of its refund.
    pub counterparty: Option<&'a str>,
    /// Whether a refund may be paid although nobody said who had paid.
    pub unknown_payer_ok: bool,
}
