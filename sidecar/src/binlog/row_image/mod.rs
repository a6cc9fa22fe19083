//! Row images to values. The stream and its framing are mysql_async's; images are
//! decoded here because its rows carry a description of every column with every
//! row, which costs more than the values, and because it mis-reads negative TIME
//! on MariaDB (FACTS.md).

mod column_format;
mod packed_decimal;

pub use crate::binlog::row_image::column_format::{ColumnFormat, columns};

use crate::binlog::row_image::packed_decimal::decimal;
use crate::stream::change::{ColumnValue, RowImage};
use rust_decimal::Decimal;

/// Reads one image off the front of `data`. `None` means that the bytes don't fit
/// the table.
pub fn image(columns: &[ColumnFormat], data: &mut &[u8]) -> Option<RowImage> {
    let nulls = take(data, columns.len().div_ceil(8))?;
    let mut values = Vec::with_capacity(columns.len());
    for (at, column) in columns.iter().enumerate() {
        let is_null = nulls.get(at / 8)? >> (at % 8) & 1 == 1;
        values.push(if is_null {
            ColumnValue::Null
        } else {
            value(*column, data)?
        });
    }
    Some(values.into_boxed_slice())
}

fn value(column: ColumnFormat, data: &mut &[u8]) -> Option<ColumnValue> {
    Some(match column {
        ColumnFormat::Int { bytes, unsigned } => integer(take(data, usize::from(bytes))?, unsigned),
        ColumnFormat::Year => match take(data, 1)?.first()? {
            0 => ColumnValue::Int(0),
            year => ColumnValue::Int(1900 + i64::from(*year)),
        },
        ColumnFormat::Decimal { whole, fraction } => {
            decimal(usize::from(whole), usize::from(fraction), data)?
        }
        ColumnFormat::Text { prefix } => {
            let length = unsigned_le(take(data, usize::from(prefix))?);
            let bytes = take(data, usize::try_from(length).ok()?)?;
            std::str::from_utf8(bytes)
                .map_or(ColumnValue::Opaque, |text| ColumnValue::Text(text.into()))
        }
        ColumnFormat::Blob { prefix } => {
            let length = unsigned_le(take(data, usize::from(prefix))?);
            take(data, usize::try_from(length).ok()?)?;
            ColumnValue::Opaque
        }
        ColumnFormat::Skip { bytes } => {
            take(data, usize::from(bytes))?;
            ColumnValue::Opaque
        }
    })
}

fn take<'a>(data: &mut &'a [u8], bytes: usize) -> Option<&'a [u8]> {
    let (head, tail) = data.split_at_checked(bytes)?;
    *data = tail;
    Some(head)
}

fn unsigned_le(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn integer(bytes: &[u8], unsigned: bool) -> ColumnValue {
    let raw = unsigned_le(bytes);
    let unused = 64 - 8 * bytes.len() as u32;
    if unsigned {
        // Past i64 only a decimal still holds it exactly.
        return i64::try_from(raw)
            .map_or_else(|_| ColumnValue::Dec(Decimal::from(raw)), ColumnValue::Int);
    }
    // Shift the sign bit up and back to extend it.
    ColumnValue::Int((raw << unused).cast_signed() >> unused)
}

#[cfg(test)]
mod tests;
