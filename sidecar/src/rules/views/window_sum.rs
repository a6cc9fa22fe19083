//! The exact sum of a window's values.

use crate::rules::views::values::{RhaiResult, fail};
use crate::stream::change::ColumnValue;
use crate::stream::wire::{ByteReader, put_decimal, put_number};
use rust_decimal::Decimal;

/// A sum that moves as values come and go. A value that can't be added makes it unknown
/// while it is there.
#[derive(Debug, Clone, Copy, Default)]
pub struct WindowSum {
    total: Decimal,
    /// Values that are no numbers.
    others: usize,
    /// The sum was too large once, so it is not known any more.
    lost: bool,
}

impl WindowSum {
    /// Adds a value that comes, or subtracts one that goes.
    pub fn move_by(&mut self, value: &ColumnValue, comes: bool) {
        let number = match value {
            ColumnValue::Dec(amount) => *amount,
            ColumnValue::Int(number) => Decimal::from(*number),
            // NULL adds nothing.
            ColumnValue::Null => return,
            ColumnValue::Text(_) | ColumnValue::Opaque => {
                self.others = if comes {
                    self.others + 1
                } else {
                    self.others.saturating_sub(1)
                };
                return;
            }
        };
        self.move_total(number, comes);
    }

    fn move_total(&mut self, number: Decimal, comes: bool) {
        let moved = if comes {
            self.total.checked_add(number)
        } else {
            self.total.checked_sub(number)
        };
        match moved {
            Some(total) => self.total = total,
            None => self.lost = true,
        }
    }

    /// Subtracts a part of it that goes.
    pub fn take(&mut self, part: &WindowSum) {
        self.move_total(part.total, false);
        self.others = self.others.saturating_sub(part.others);
        self.lost |= part.lost;
    }

    pub fn put(&self, out: &mut Vec<u8>) {
        put_decimal(out, self.total);
        put_number(out, self.others as u64);
        out.push(u8::from(self.lost));
    }

    pub fn read(bytes: &mut ByteReader<'_>) -> Option<WindowSum> {
        Some(WindowSum {
            total: bytes.decimal()?,
            others: bytes.size()?,
            lost: bytes.flag()?,
        })
    }

    /// The sum, if all of its values could be added.
    pub fn checked_sum(&self) -> RhaiResult<Decimal> {
        match self {
            WindowSum {
                others: 0,
                lost: false,
                total,
            } => Ok(*total),
            WindowSum { lost: true, .. } => fail("the window's sum is too large".to_owned()),
            WindowSum { .. } => {
                fail("the window keeps something that is no number, so it has no sum".to_owned())
            }
        }
    }
}
