//! Exact money. An amount is a decimal in major units (yuan, not fen) with at
//! most its currency's decimals; no float is ever involved.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Decimals kept by every money column, `DECIMAL(20,4)`.
pub const COLUMN_SCALE: u32 = 4;
/// Digits before the point that fit the column.
pub const COLUMN_INTEGER_DIGITS: usize = 16;

/// Currencies that the platform settles, with ISO 4217's number of decimals.
const CURRENCIES: &[(&str, u32)] = &[
    ("AED", 2),
    ("AUD", 2),
    ("BHD", 3),
    ("BRL", 2),
    ("CAD", 2),
    ("CHF", 2),
    ("CLP", 0),
    ("CNY", 2),
    ("EUR", 2),
    ("GBP", 2),
    ("HKD", 2),
    ("IDR", 2),
    ("INR", 2),
    ("ISK", 0),
    ("JOD", 3),
    ("JPY", 0),
    ("KRW", 0),
    ("KWD", 3),
    ("MXN", 2),
    ("MYR", 2),
    ("NZD", 2),
    ("OMR", 3),
    ("PHP", 2),
    ("SGD", 2),
    ("THB", 2),
    ("TND", 3),
    ("TWD", 2),
    ("USD", 2),
    ("VND", 0),
    ("ZAR", 2),
];

/// An ISO 4217 code that this platform knows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency(&'static str, u32);

impl Currency {
    /// Sorts before every known currency: the start of an account's range.
    pub const LOWEST: Currency = Currency("", 0);

    pub fn code(self) -> &'static str {
        self.0
    }

    /// Number of decimals of the minor unit: CNY 2, JPY 0, BHD 3.
    pub fn exponent(self) -> u32 {
        self.1
    }
}

impl FromStr for Currency {
    type Err = AmountError;

    fn from_str(code: &str) -> Result<Self, AmountError> {
        let known = CURRENCIES.iter().find(|(c, _)| *c == code);
        known
            .map(|(c, e)| Currency(c, *e))
            .ok_or(AmountError::UnknownCurrency)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let code = String::deserialize(d)?;
        code.parse()
            .map_err(|_| serde::de::Error::custom(format!("unknown currency {code:?}")))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    #[error("must be written in plain digits such as 123.45 (no sign, exponent or NaN)")]
    NotPlainDigits,
    #[error("must be greater than zero")]
    NotPositive,
    #[error("has more decimals than the currency allows")]
    TooManyDecimals,
    #[error("is larger than 9999999999999999.9999")]
    TooLarge,
    #[error("is not a currency known here")]
    UnknownCurrency,
}

/// Reads an amount in major units from the text of a JSON string or number.
///
/// Digits, optionally a point and digits; nothing else. `1e3`, `NaN`, `+1`, `.5`
/// and `1.` are refused rather than guessed. Trailing zeros beyond the currency's
/// exponent are refused too: the sender believes in another exponent.
pub fn parse_amount(text: &str, currency: Currency) -> Result<Decimal, AmountError> {
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((w, f)) => (w, Some(f)),
        None => (unsigned, None),
    };
    if !digits(whole) || !fraction.is_none_or(digits) {
        return Err(AmountError::NotPlainDigits);
    }
    if fraction.is_some_and(|f| f.len() > currency.exponent() as usize) {
        return Err(AmountError::TooManyDecimals);
    }
    if whole.trim_start_matches('0').len() > COLUMN_INTEGER_DIGITS {
        return Err(AmountError::TooLarge);
    }
    let amount = Decimal::from_str_exact(text).map_err(|_| AmountError::TooLarge)?;
    if amount <= Decimal::ZERO {
        return Err(AmountError::NotPositive);
    }
    Ok(amount)
}

/// The amount as the column stores it, in units of 10⁻⁴: what provenance signs.
/// `None` if it has more decimals than the column.
pub fn column_units(amount: Decimal) -> Option<i128> {
    let mut scaled = amount;
    scaled.rescale(COLUMN_SCALE);
    (scaled == amount).then(|| scaled.mantissa())
}

/// The amount as a whole number of the currency's minor units: 1.23 CNY is 123,
/// 1 JPY is 1, 1.234 BHD is 1234. `None` if it has more decimals than the
/// currency, or does not fit.
pub fn minor_units(amount: Decimal, currency: Currency) -> Option<i64> {
    let mut scaled = amount;
    scaled.rescale(currency.exponent());
    if scaled != amount {
        return None;
    }
    i64::try_from(scaled.mantissa()).ok()
}

/// The amount in major units of so many minor units; exact.
pub fn of_minor_units(units: i64, currency: Currency) -> Decimal {
    Decimal::new(units, currency.exponent())
}

#[cfg(test)]
#[path = "money_tests.rs"]
mod tests;
