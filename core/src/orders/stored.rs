//! Values of an order as its columns store them.

use crate::orders::SendRefusal;
use anyhow::Context;
use mysql_async::Row;
use mysql_async::prelude::FromValue;
use rust_decimal::Decimal;
use sluice_contract::money::Currency;
use sluice_contract::order::{OrderKind, OrderState};
use sluice_contract::sql::SqlLiteral;

/// A type that a column of `orders` holds.
pub(super) trait StoredValue: Sized {
    /// Reads the column `name`.
    ///
    /// # Errors
    /// No such column, or a value of another type.
    fn read(row: &Row, name: &str) -> anyhow::Result<Self>;

    fn literal(&self) -> SqlLiteral<'_>;
}

fn column<T: FromValue>(row: &Row, name: &str) -> anyhow::Result<T> {
    row.get_opt(name)
        .with_context(|| format!("orders has no column {name}: migrations are behind"))?
        .map_err(|e| anyhow::anyhow!("orders.{name}: {e}"))
}

macro_rules! stored_as_itself {
    ($($type:ty: $value:ident => $literal:expr,)*) => {$(
        impl StoredValue for $type {
            fn read(row: &Row, name: &str) -> anyhow::Result<Self> {
                column(row, name)
            }

            fn literal(&self) -> SqlLiteral<'_> {
                let $value = self;
                $literal
            }
        }
    )*};
}

stored_as_itself! {
    String: text => SqlLiteral::Text(text),
    Option<String>: text => text.as_deref().into(),
    i64: number => SqlLiteral::Int(*number),
    Option<i64>: number => number.map_or(SqlLiteral::Null, SqlLiteral::Int),
    bool: flag => SqlLiteral::Int((*flag).into()),
    Decimal: amount => SqlLiteral::Dec(*amount),
}

impl StoredValue for OrderKind {
    fn read(row: &Row, name: &str) -> anyhow::Result<Self> {
        Ok(column::<String>(row, name)?.parse()?)
    }

    fn literal(&self) -> SqlLiteral<'_> {
        SqlLiteral::Text(self.as_str())
    }
}

impl StoredValue for OrderState {
    fn read(row: &Row, name: &str) -> anyhow::Result<Self> {
        Ok(column::<String>(row, name)?.parse()?)
    }

    fn literal(&self) -> SqlLiteral<'_> {
        SqlLiteral::Text(self.as_str())
    }
}

impl StoredValue for Option<SendRefusal> {
    fn read(row: &Row, name: &str) -> anyhow::Result<Self> {
        let refusal: Option<String> = column(row, name)?;
        refusal.map(|word| Ok(word.parse()?)).transpose()
    }

    fn literal(&self) -> SqlLiteral<'_> {
        self.map(SendRefusal::as_str).into()
    }
}

impl StoredValue for Currency {
    fn read(row: &Row, name: &str) -> anyhow::Result<Self> {
        let currency: String = column(row, name)?;
        currency
            .parse()
            .with_context(|| format!("orders.{name} {currency:?}"))
    }

    fn literal(&self) -> SqlLiteral<'_> {
        SqlLiteral::Text(self.code())
    }
}
