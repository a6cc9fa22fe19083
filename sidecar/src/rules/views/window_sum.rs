//! The exact sum of a window's values.

use crate::rules::views::values::{RhaiResult, fail};
use crate::stream::change::ColumnValue;
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
