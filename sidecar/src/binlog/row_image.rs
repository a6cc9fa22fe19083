//! Row images to values. The stream and its framing are mysql_async's; images are
//! decoded here because its rows carry a description of every column with every
//! row, which costs more than the values, and because it mis-reads negative TIME
//! on MariaDB (FACTS.md).

use crate::stream::change::{ColumnValue, RowImage};
use mysql_async::binlog::events::{OptionalMetaExtractor, TableMapEvent};
use mysql_async::consts::ColumnType;
use rust_decimal::Decimal;

/// Bytes that a group of 0–9 decimal digits takes in MySQL's packed format.
const DIGIT_BYTES: [usize; 10] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];
const DIGITS_PER_WORD: usize = 9;

/// How one column's bytes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnFormat {
    Int {
        bytes: u8,
        unsigned: bool,
    },
    Year,
    Decimal {
        whole: u8,
        fraction: u8,
    },
    /// A length of this many bytes, then text if it is UTF-8.
    Text {
        prefix: u8,
    },
    /// A length of this many bytes, then something that rules can't read.
    Blob {
        prefix: u8,
    },
    Skip {
        bytes: u16,
    },
}

/// A table's columns, their names and how each is read.
pub fn columns(map: &TableMapEvent<'_>) -> anyhow::Result<(Vec<String>, Vec<ColumnFormat>)> {
    let meta = OptionalMetaExtractor::new(map.iter_optional_meta())?;
    let names: Vec<String> = meta
        .iter_column_name()
        .map(|n| n.map(|n| n.name().into_owned()))
        .collect::<Result<_, _>>()?;
    let count = usize::try_from(map.columns_count())?;
    if names.len() != count {
        anyhow::bail!("the table map has no column names; SET GLOBAL binlog_row_metadata = 'FULL'");
    }
    let mut signs = meta.iter_signedness();
    let mut columns = Vec::with_capacity(count);
    for (at, name) in names.iter().enumerate() {
        let kind = map.get_column_type(at).ok().flatten();
        let kind =
            kind.ok_or_else(|| anyhow::anyhow!("column {name} has a type that can't be decoded"))?;
        let unsigned = kind.is_numeric_type() && signs.next().unwrap_or(false);
        let detail = map.get_column_metadata(at).unwrap_or(&[]);
        let column = column(kind, detail, unsigned);
        columns.push(
            column
                .ok_or_else(|| anyhow::anyhow!("column {name}: type {kind:?} can't be decoded"))?,
        );
    }
    Ok((names, columns))
}

fn column(kind: ColumnType, detail: &[u8], unsigned: bool) -> Option<ColumnFormat> {
    use ColumnType::*;
    let first = detail.first().copied();
    let second = detail.get(1).copied();
    let prefix_for = |longest: u16| if longest < 256 { 1 } else { 2 };
    // Fractions of a second take half a byte per digit.
    let with_fraction = |bytes: u16| {
        first.map(|digits| ColumnFormat::Skip {
            bytes: bytes + u16::from(digits.div_ceil(2)),
        })
    };
    Some(match kind {
        MYSQL_TYPE_TINY => ColumnFormat::Int { bytes: 1, unsigned },
        MYSQL_TYPE_SHORT => ColumnFormat::Int { bytes: 2, unsigned },
        MYSQL_TYPE_INT24 => ColumnFormat::Int { bytes: 3, unsigned },
        MYSQL_TYPE_LONG => ColumnFormat::Int { bytes: 4, unsigned },
        MYSQL_TYPE_LONGLONG => ColumnFormat::Int { bytes: 8, unsigned },
        MYSQL_TYPE_YEAR => ColumnFormat::Year,
        MYSQL_TYPE_NEWDECIMAL => ColumnFormat::Decimal {
            whole: first?.checked_sub(second?)?,
            fraction: second?,
        },
        MYSQL_TYPE_VARCHAR | MYSQL_TYPE_VAR_STRING => ColumnFormat::Text {
            prefix: prefix_for(u16::from_le_bytes([first?, second?])),
        },
        MYSQL_TYPE_STRING => {
            // A long CHAR hides two bits of its length in the type byte (MySQL bug 37426).
            let high = u16::from((first? & 0x30) ^ 0x30) << 4;
            ColumnFormat::Text {
                prefix: prefix_for(high | u16::from(second?)),
            }
        }
        MYSQL_TYPE_TINY_BLOB | MYSQL_TYPE_BLOB | MYSQL_TYPE_MEDIUM_BLOB | MYSQL_TYPE_LONG_BLOB => {
            ColumnFormat::Text {
                prefix: first.filter(|p| (1..=4).contains(p))?,
            }
        }
        MYSQL_TYPE_JSON | MYSQL_TYPE_GEOMETRY | MYSQL_TYPE_VECTOR => ColumnFormat::Blob {
            prefix: first.filter(|p| (1..=4).contains(p))?,
        },
        MYSQL_TYPE_ENUM | MYSQL_TYPE_SET => ColumnFormat::Skip {
            bytes: u16::from(second?),
        },
        MYSQL_TYPE_BIT => ColumnFormat::Skip {
            bytes: u16::from(second?) + u16::from(first? > 0),
        },
        MYSQL_TYPE_FLOAT | MYSQL_TYPE_TIMESTAMP => ColumnFormat::Skip { bytes: 4 },
        MYSQL_TYPE_DOUBLE | MYSQL_TYPE_DATETIME => ColumnFormat::Skip { bytes: 8 },
        MYSQL_TYPE_DATE | MYSQL_TYPE_NEWDATE | MYSQL_TYPE_TIME => ColumnFormat::Skip { bytes: 3 },
        MYSQL_TYPE_TIMESTAMP2 => with_fraction(4)?,
        MYSQL_TYPE_DATETIME2 => with_fraction(5)?,
        MYSQL_TYPE_TIME2 => with_fraction(3)?,
        _ => return None,
    })
}

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

/// MySQL's packed decimal: nine digits per big-endian word, short words at both
/// ends, the first bit inverted, and all bits inverted if it is negative. Past 96
/// bits it does not fit rules' decimals and is opaque, never rounded.
fn decimal(whole: usize, fraction: usize, data: &mut &[u8]) -> Option<ColumnValue> {
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

#[cfg(test)]
#[path = "row_image_tests.rs"]
mod tests;
