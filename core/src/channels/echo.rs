//! Fields of a payment that a channel's message echoes, and the one comparison of them with
//! the order. Replies, queries and callbacks of every adapter go through it; a statement's
//! line may too.

use crate::orders::Order;
use rust_decimal::Decimal;
use sluice_contract::string_enum;
use std::fmt;

string_enum! {
    /// Field that a channel's message may echo.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum EchoField("a field of a channel's message") {
        SerialNo = "serial number",
        TradeTime = "trade time",
        Currency = "currency",
        Amount = "amount",
        Payee = "account",
    }
}

/// One field of a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Echo<T> {
    /// The protocol has no such field in this message, or masks it.
    #[default]
    NotEchoed,
    /// The protocol has the field in this message, and it isn't there or can't be read.
    Missing,
    Stated(T),
}

impl<T> Echo<T> {
    /// Makes a field that the protocol has in this message.
    pub fn required(stated: Option<T>) -> Self {
        stated.map_or(Echo::Missing, Echo::Stated)
    }

    /// Makes a field that may be there.
    pub fn optional(stated: Option<T>) -> Self {
        stated.map_or(Echo::NotEchoed, Echo::Stated)
    }

    /// Tells the value, if there is one.
    pub fn stated(&self) -> Option<&T> {
        match self {
            Echo::Stated(value) => Some(value),
            Echo::NotEchoed | Echo::Missing => None,
        }
    }
}

/// A payment as a channel's message tells it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EchoedPayment {
    pub serial_no: Echo<String>,
    /// As it was sent, `YYYYMMDDhhmmss` in the channel's zone: its first eight digits are the
    /// day for which the channel promises idempotency.
    pub trade_time: Echo<String>,
    /// ISO 4217 code.
    pub currency: Echo<String>,
    /// Major units, read by the channel's own decimals.
    pub amount: Echo<Decimal>,
    pub to_account: Echo<String>,
}

/// A field that isn't the order's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EchoMismatch {
    pub field: EchoField,
    /// `None` if it is missing.
    pub stated: Option<String>,
    pub known: String,
}

impl EchoedPayment {
    /// Finds every field that differs from the order as it was sent, or is missing. An order
    /// without a trade time was never sent: nothing can be said of its time.
    pub fn mismatches(&self, order: &Order) -> impl Iterator<Item = EchoMismatch> {
        // A field that is added here doesn't compile before it is compared.
        let EchoedPayment {
            serial_no,
            trade_time,
            currency,
            amount,
            to_account,
        } = self;
        let time = order
            .trade_time
            .as_ref()
            .and_then(|time| compare(EchoField::TradeTime, trade_time, time));
        let code = order.currency.code().to_owned();
        [
            compare(EchoField::SerialNo, serial_no, &order.serial_no),
            time,
            compare(EchoField::Currency, currency, &code),
            compare(EchoField::Amount, amount, &order.amount),
            compare(EchoField::Payee, to_account, &order.to_account),
        ]
        .into_iter()
        .flatten()
    }
}

fn compare<T: PartialEq + fmt::Display>(
    field: EchoField,
    echoed: &Echo<T>,
    known: &T,
) -> Option<EchoMismatch> {
    let stated = match echoed {
        Echo::NotEchoed => return None,
        Echo::Stated(stated) if stated == known => return None,
        Echo::Stated(stated) => Some(stated.to_string()),
        Echo::Missing => None,
    };
    Some(EchoMismatch {
        field,
        stated,
        known: known.to_string(),
    })
}

/// `the channel speaks of account X, the order of Y`; for people.
impl fmt::Display for EchoMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (field, known) = (self.field.as_str(), &self.known);
        match &self.stated {
            Some(stated) => write!(
                f,
                "the channel speaks of {field} {stated}, the order of {known}"
            ),
            None => write!(f, "the channel names no {field}, the order's is {known}"),
        }
    }
}
