//! Entries as they are read back: one line of a posting, and a position among an
//! account's lines.

use rust_decimal::Decimal;

/// One line of a posting. Amount in major units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub posting_id: String,
    pub line: i64,
    /// The reason why money moved: `reserve`, `finalize`, …
    pub kind: String,
    pub book: String,
    /// A credit on one of the account's books increases it.
    pub credit: bool,
    pub amount: Decimal,
    pub reference: String,
    pub created_us: i64,
}

impl Entry {
    pub fn position(&self) -> EntryPosition {
        EntryPosition {
            created_us: self.created_us,
            posting_id: self.posting_id.clone(),
            line: self.line,
        }
    }

    /// Tells what the line adds to its book.
    pub fn signed(&self) -> Decimal {
        if self.credit {
            self.amount
        } else {
            -self.amount
        }
    }
}

/// A position in an account's entries, ordered by time, posting and line. Entries of one
/// account and currency are stamped behind its balance's lock, so whatever is written
/// later comes after it (between instances: as far as their clocks agree).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryPosition {
    pub created_us: i64,
    pub posting_id: String,
    pub line: i64,
}

impl EntryPosition {
    /// Makes the position before every entry from `created_us` on.
    pub fn at(created_us: i64) -> Self {
        EntryPosition {
            created_us,
            posting_id: String::new(),
            line: -1,
        }
    }

    /// Writes the position, opaque to those who hand it back.
    pub fn cursor(&self) -> String {
        hex::encode(format!(
            "{}/{}/{}",
            self.created_us, self.line, self.posting_id
        ))
    }

    pub fn parse(cursor: &str) -> Option<Self> {
        let text = String::from_utf8(hex::decode(cursor).ok()?).ok()?;
        let mut parts = text.splitn(3, '/');
        let (created_us, line) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let posting_id = parts.next().filter(|id| id.is_ascii())?.to_owned();
        Some(EntryPosition {
            created_us,
            line,
            posting_id,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::ledger::entry::EntryPosition;

    #[test]
    fn a_cursor_comes_back_as_it_was_given() {
        let position = EntryPosition {
            created_us: 1_795_285_800_000_000,
            posting_id: "pay-a/b'c".into(),
            line: 1,
        };
        assert_eq!(EntryPosition::parse(&position.cursor()), Some(position));
        for wrong in ["", "zz", "31", "312f32"] {
            assert_eq!(EntryPosition::parse(wrong), None, "{wrong}");
        }
    }
}
