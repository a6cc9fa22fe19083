//! MySQL's packed decimals.

use crate::binlog::row_image::take;
use crate::stream::change::ColumnValue;
use rust_decimal::Decimal;

/// Bytes that a group of 0–9 decimal digits takes in MySQL's packed format.
const DIGIT_BYTES: [usize; 10] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];
const DIGITS_PER_WORD: usize = 9;

/// Reads a packed decimal: nine digits per big-endian word, short words at both
/// ends, the first bit inverted, and all bits inverted if it is negative. Past 96
/// bits it does not fit rules' decimals and is opaque, never rounded.
pub fn decimal(whole: usize, fraction: usize, data: &mut &[u8]) -> Option<ColumnValue> {
    let (lead, tail) = (whole % DIGITS_PER_WORD, fraction % DIGITS_PER_WORD);
    let words = whole / DIGITS_PER_WORD + fraction / DIGITS_PER_WORD;
    let mut bytes = take(data, DIGIT_BYTES[lead] + 4 * words + DIGIT_BYTES[tail])?;
    let negative = bytes.first()? & 0x80 == 0;
    let mut sign_bit = 0x80;
    let mut number: Option<i128> = Some(0);
    let groups = std::iter::once(lead)
        .chain(std::iter::repeat_n(DIGITS_PER_WORD, words))
        .chain(std::iter::once(tail));
    for digits in groups {
        let mut group: u32 = 0;
        for byte in take(&mut bytes, DIGIT_BYTES[digits])? {
            let plain = byte ^ sign_bit ^ if negative { 0xff } else { 0 };
            sign_bit = 0;
            group = group << 8 | u32::from(plain);
        }
        let shift = 10_i128.pow(digits as u32);
        number = number
            .and_then(|n| n.checked_mul(shift))
            .and_then(|n| n.checked_add(i128::from(group)));
    }
    let signed = number.map(|n| if negative { -n } else { n });
    let exact = signed
        .and_then(|n| Decimal::try_from_i128_with_scale(n, u32::try_from(fraction).ok()?).ok());
    Some(exact.map_or(ColumnValue::Opaque, ColumnValue::Dec))
}
