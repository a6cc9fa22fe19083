//! The letters of a block: numbers as LEB128, signed ones zigzagged, texts with
//! their length, decimals as sign, scale and mantissa.

use rust_decimal::Decimal;

/// Flag in a decimal's first byte; the rest of it is the scale.
const NEGATIVE_FLAG: u8 = 0x80;

pub fn put_number(out: &mut Vec<u8>, number: u64) {
    put_wide(out, u128::from(number));
}

pub fn put_signed(out: &mut Vec<u8>, number: i64) {
    put_number(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

pub fn put_wide(out: &mut Vec<u8>, mut number: u128) {
    while number > 0x7f {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub fn put_text(out: &mut Vec<u8>, text: &str) {
    put_number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Exactly, down to the trailing zeros and the sign of a zero.
pub fn put_decimal(out: &mut Vec<u8>, number: Decimal) {
    let sign = if number.is_sign_negative() {
        NEGATIVE_FLAG
    } else {
        0
    };
    // A scale is at most 28.
    out.push(sign | number.scale() as u8);
    put_wide(out, number.mantissa().unsigned_abs());
}

/// Bytes that are read from the front. `None` means that they are not what was
/// written: too short, too long, or not text.
#[derive(Debug, Clone, Copy)]
pub struct ByteReader<'a>(pub &'a [u8]);

impl<'a> ByteReader<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    pub fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has one bit to give.
            if shift == 63 && bits > 1 {
                return None;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    pub fn size(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    pub fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    fn wide(&mut self) -> Option<u128> {
        let mut number = 0_u128;
        // A mantissa has 96 bits.
        for shift in (0..98).step_by(7) {
            let byte = self.byte()?;
            number |= u128::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    pub fn text(&mut self) -> Option<&'a str> {
        let length = self.size()?;
        std::str::from_utf8(self.take(length)?).ok()
    }

    pub fn decimal(&mut self) -> Option<Decimal> {
        let first = self.byte()?;
        let mantissa = i128::try_from(self.wide()?).ok()?;
        let mut number =
            Decimal::try_from_i128_with_scale(mantissa, u32::from(first & !NEGATIVE_FLAG)).ok()?;
        number.set_sign_negative(first & NEGATIVE_FLAG != 0);
        Some(number)
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
