//! Rows whose changes the core signs, one letter a table. Each signed column is named here
//! once: the core fills a struct that has a field for each, the sidecar takes from a row image
//! what the same list names, in the same order.

use crate::provenance::{EffectField, TransactionEffects};

/// Kind of a signed column, and what NULL is signed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EffectColumnKind {
    Text,
    /// NULL is signed as empty: a value that the row has not got yet.
    OptionalText,
    /// The last one: an empty text is not signed at all, so that programs of before the column
    /// and after it agree on rows without it.
    TextIfKnown,
    /// A whole number, or an amount in units of 10⁻⁴.
    Number,
    /// NULL is signed as zero.
    OptionalNumber,
}

/// One signed column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EffectColumn {
    pub name: &'static str,
    pub kind: EffectColumnKind,
}

/// A table whose changes are signed.
#[derive(Debug, PartialEq, Eq)]
pub struct EffectTable {
    pub name: &'static str,
    /// Begins its effects.
    pub letter: &'static str,
    /// In the order in which they are signed.
    pub columns: &'static [EffectColumn],
}

/// The most columns that a table has.
pub const MAX_EFFECT_COLUMNS: usize = 11;
/// Column that every change raises, where a table has it.
const VERSION_COLUMN: &str = "version";

impl EffectTable {
    /// Place of the version in `columns`.
    pub fn version(&self) -> Option<usize> {
        self.columns
            .iter()
            .position(|column| column.name == VERSION_COLUMN)
    }
}

/// The signed table of this name.
pub fn effect_table(name: &str) -> Option<&'static EffectTable> {
    EFFECT_TABLES.iter().find(|table| table.name == name)
}

macro_rules! field_type {
    (Text, $a:lifetime) => {
        &$a[u8]
    };
    (OptionalText, $a:lifetime) => {
        &$a[u8]
    };
    (TextIfKnown, $a:lifetime) => {
        &$a[u8]
    };
    (Number, $a:lifetime) => {
        i128
    };
    (OptionalNumber, $a:lifetime) => {
        i128
    };
}

macro_rules! field_of {
    ($value:expr, Text) => {
        EffectField::Text($value)
    };
    ($value:expr, OptionalText) => {
        EffectField::Text($value)
    };
    ($value:expr, TextIfKnown) => {
        EffectField::Text($value)
    };
    ($value:expr, Number) => {
        EffectField::Int($value)
    };
    ($value:expr, OptionalNumber) => {
        EffectField::Int($value)
    };
}

macro_rules! effect_tables {
    ($(
        $(#[$doc:meta])*
        $row:ident: $letter:literal, $table:literal, $add:ident { $($column:ident: $kind:ident),+ $(,)? }
    )+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
            pub struct $row<'a> {
                $(pub $column: field_type!($kind, 'a)),+
            }

            impl $row<'_> {
                const TABLE: EffectTable = EffectTable {
                    name: $table,
                    letter: $letter,
                    columns: &[$(EffectColumn {
                        name: stringify!($column),
                        kind: EffectColumnKind::$kind,
                    }),+],
                };
            }
        )+

        /// Every table whose changes are signed.
        pub static EFFECT_TABLES: &[EffectTable] = &[$($row::TABLE),+];

        impl TransactionEffects {
            $(
                $(#[$doc])*
                pub fn $add(&mut self, row: &$row<'_>) {
                    self.add_row(&$row::TABLE, &[$(field_of!(row.$column, $kind)),+]);
                }
            )+
        }
    };
}

effect_tables! {
    /// A balance, with amounts in units of 10⁻⁴.
    SignedBalance: "b", "balance", balance {
        account_id: Text,
        currency: Text,
        balance: Number,
        available: Number,
        reserved: Number,
        intermediate: OptionalNumber,
        intermediate_reserved: OptionalNumber,
        version: Number,
    }
    /// A captured payment: what was captured, refunded and settled of it, in units of 10⁻⁴, and
    /// the account that paid, if it is known.
    SignedCapture: "c", "capture", capture {
        account_id: Text,
        payment_no: Text,
        currency: Text,
        captured: Number,
        refunded: Number,
        settled: Number,
        version: Number,
        payer: TextIfKnown,
    }
    /// A ledger entry; the amount in units of 10⁻⁴.
    SignedEntry: "e", "entry", entry {
        account_id: Text,
        posting_id: Text,
        line: Number,
        book: Text,
        side: Text,
        amount: Number,
        currency: Text,
    }
    /// An order; the amount in units of 10⁻⁴.
    SignedOrder: "o", "orders", order {
        account_id: Text,
        order_id: Text,
        kind: OptionalText,
        state: Text,
        to_account: Text,
        amount: Number,
        currency: Text,
        channel: OptionalText,
        serial_no: OptionalText,
        trade_time: OptionalText,
        version: Number,
    }
    /// An attempt at a channel.
    SignedAttempt: "a", "attempt", attempt {
        account_id: Text,
        order_id: Text,
        attempt_no: Number,
        channel: Text,
        state: Text,
    }
}

impl TransactionEffects {
    /// Adds the after-image of a row; `fields` in the order of the table's columns.
    pub fn add_row(&mut self, table: &EffectTable, fields: &[EffectField<'_>]) {
        debug_assert_eq!(table.columns.len(), fields.len(), "{}", table.name);
        let is_left_out = match (table.columns.last(), fields.last()) {
            (Some(column), Some(EffectField::Text(text))) => {
                column.kind == EffectColumnKind::TextIfKnown && text.is_empty()
            }
            _ => false,
        };
        let signed = fields.len() - usize::from(is_left_out);
        self.add(table.letter, fields.get(..signed).unwrap_or(fields));
    }
}
