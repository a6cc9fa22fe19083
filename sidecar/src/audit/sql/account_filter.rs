//! Accounts that a reading is about.

use sluice_contract::sql::{SqlLiteral, in_list, push_lit};

/// Accounts of one reading.
#[derive(Debug, Clone, Copy)]
pub enum AccountFilter<'a> {
    /// After the first and up to the second; `None`: to the end.
    Range(&'a str, Option<&'a str>),
    /// Exactly these; never none.
    These(&'a [String]),
}

impl AccountFilter<'_> {
    /// Condition on `account_id`.
    pub(super) fn sql(self) -> String {
        match self {
            AccountFilter::These(accounts) => format!(
                "account_id IN {}",
                in_list(accounts.iter().map(String::as_str))
            ),
            AccountFilter::Range(after, to) => {
                let mut sql = String::from("account_id > ");
                push_lit(&mut sql, SqlLiteral::Text(after));
                if let Some(to) = to {
                    sql.push_str(" AND account_id <= ");
                    push_lit(&mut sql, SqlLiteral::Text(to));
                }
                sql
            }
        }
    }
}
