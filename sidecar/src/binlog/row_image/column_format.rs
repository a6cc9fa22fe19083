//! Formats of columns, as a table map describes them.

use mysql_async::binlog::events::{OptionalMetaExtractor, TableMapEvent};
use mysql_async::consts::ColumnType;

/// The way in which one column's bytes are read.
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

/// Reads a table's columns: their names, and how each is read.
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
