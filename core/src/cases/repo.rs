//! All SQL on `cases`.

use super::Case;
use sluice_contract::sql::{Lit, push_row};

/// Appends cases; one that is open or closed already stays as it is.
pub fn push_cases(sql: &mut String, cases: &[Case], now_us: i64) {
    sql.push_str("INSERT INTO cases (account_id,order_id,kind,detail,state,opened_us) VALUES ");
    for (at, c) in cases.iter().enumerate() {
        push_row(
            sql,
            at == 0,
            &[
                Lit::Text(&c.account_id),
                Lit::Text(&c.order_id),
                Lit::Text(c.kind.as_str()),
                Lit::Text(&c.detail),
                Lit::Text("open"),
                Lit::Int(now_us),
            ],
        );
    }
    sql.push_str(" ON DUPLICATE KEY UPDATE opened_us=opened_us;");
}
