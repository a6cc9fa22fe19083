//! Exact money. An amount is a decimal in major units (yuan, not fen) with at
//! most its currency's decimals; no float is ever involved.

mod currency;

pub use crate::money::currency::Currency;

use rust_decimal::Decimal;

/// Decimals kept by every money column, `DECIMAL(20,4)`.
pub const COLUMN_SCALE: u32 = 4;
/// Digits before the point that fit the column.
pub const COLUMN_INTEGER_DIGITS: usize = 16;

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

#[cfg(test)]
mod tests;
