//! Tokens and balances that a test writes, and the verdicts on them.

use crate::server::signed::raise_token;
use mysql_async::prelude::Queryable;

/// Finds an account whose balance is not what its parts are.
pub const BALANCE_RULE: &str = r#"//! id = "balance-adds-up"
//! guards = "balance is available plus reserved"
//! kind = "internal_logic"
//! severity = "critical"
//! mode = "trip"
//! breaker = "cash_out/account"
//! owner = "tests"
//! runbook = "none"
//! # A test has few accounts, and wants all of them stopped.
//! [budget]
//! trips_per_hour = 10000
//! accounts_percent = 100
//! [trigger]
//! on = "row"
//! table = "balance"
//! ops = ["insert", "update"]

fn check(row) {
    let b = row.after;
    if b.balance != b.available + b.reserved {
        violation(b.account_id, b.currency, "balance is not available plus reserved")
    }
}
"#;

/// Raises the token of core `core-1`.
pub async fn write_token(conn: &mut mysql_async::Conn, token: u64) -> mysql_async::Result<()> {
    let key = "k".repeat(32);
    raise_token(conn, ("core-1", &key), token).await
}

/// A row of a balance that adds up, or doesn't; the account's name counts them.
pub async fn write_balance(
    conn: &mut mysql_async::Conn,
    number: u64,
    wrong: bool,
) -> mysql_async::Result<()> {
    let (kind, available) = if wrong { ("f", 5) } else { ("g", 6) };
    let sql = format!(
        "INSERT INTO t_balance.balance (account_id,currency,balance,available,reserved,version,updated_us) \
         VALUES ('{kind}{number:06}','CNY',10,{available},4,1,0)"
    );
    conn.query_drop(sql).await
}

/// Verdicts of wrong balances up to this number, and on how many accounts.
pub async fn verdicts(conn: &mut mysql_async::Conn, up_to: u64) -> (u64, u64) {
    let sql = format!(
        "SELECT COUNT(*), COUNT(DISTINCT account_id) FROM t_guard.verdict WHERE account_id <= 'f{up_to:06}' \
         AND rule = 'balance-adds-up'"
    );
    conn.query_first(sql).await.unwrap().unwrap()
}
