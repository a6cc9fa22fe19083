//! SQL of the checks. Each reads one schema, which may be on a server of its own;
//! none shares the code that it checks.

use crate::checks::StateCounts;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::in_list;
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
pub struct CheckedOrder {
    pub order_id: String,
    pub serial_no: String,
    pub state: String,
    pub amount: Decimal,
    pub currency: String,
    pub to_account: String,
    pub attempts: i64,
}

/// Postings whose debits and credits differ in some currency.
pub async fn unbalanced_postings(
    conn: &mut Conn,
    schemas: &Schemas,
) -> anyhow::Result<Vec<String>> {
    let sql = format!(
        "SELECT CONCAT(account_id,' ',posting_id,' ',currency) FROM {}.entry GROUP BY account_id,posting_id,currency \
         HAVING SUM(IF(side='D',amount,-amount))<>0",
        schemas.ledger
    );
    Ok(conn.query(sql).await?)
}

/// One account's books in one currency.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckedSums {
    pub available: Decimal,
    pub reserved: Decimal,
    pub intermediate: Decimal,
    pub held: Decimal,
    /// The name that the row gives its balance; entries say nothing of it.
    pub total: Option<Decimal>,
}

/// By account and currency.
pub type CheckedSumsByKey = BTreeMap<(String, String), CheckedSums>;

pub async fn balances(conn: &mut Conn, schemas: &Schemas) -> anyhow::Result<CheckedSumsByKey> {
    let sql = format!(
        "SELECT account_id,currency,available,reserved,intermediate,intermediate_reserved,balance FROM {}.balance",
        schemas.balance
    );
    type CheckedBalanceRow = (String, String, Decimal, Decimal, Decimal, Decimal, Decimal);
    let rows: Vec<CheckedBalanceRow> = conn.query(sql).await?;
    let make = |(account, currency, available, reserved, intermediate, held, total)| {
        (
            (account, currency),
            CheckedSums {
                available,
                reserved,
                intermediate,
                held,
                total: Some(total),
            },
        )
    };
    Ok(rows.into_iter().map(make).collect())
}

/// Sums of the entries, by each account's own books.
pub async fn entry_sums(conn: &mut Conn, schemas: &Schemas) -> anyhow::Result<CheckedSumsByKey> {
    let sum = |book: &str| format!("SUM(IF(book='{book}',IF(side='C',amount,-amount),0))");
    let sql = format!(
        "SELECT account_id,currency,{},{},{},{} FROM {}.entry GROUP BY account_id,currency",
        sum("available"),
        sum("reserved"),
        sum("intermediate"),
        sum("intermediate_reserved"),
        schemas.ledger
    );
    let rows: Vec<(String, String, Decimal, Decimal, Decimal, Decimal)> = conn.query(sql).await?;
    let make = |(account, currency, available, reserved, intermediate, held)| {
        (
            (account, currency),
            CheckedSums {
                available,
                reserved,
                intermediate,
                held,
                total: None,
            },
        )
    };
    Ok(rows.into_iter().map(make).collect())
}

/// Cumulative totals that differ from a plain sum over the orders that were sent and
/// have neither failed nor come back; sums without a row, too.
pub async fn totals_off(conn: &mut Conn, schemas: &Schemas) -> anyhow::Result<Vec<String>> {
    // The day of accounts, clients and users is the platform's, and stands in the route.
    let day = "JSON_UNQUOTE(JSON_EXTRACT(route,'$.day'))";
    let owners = [
        ("account", "account_id", day),
        ("business", "client", day),
        ("channel", "channel", "trade_time"),
        ("user", "user_id", day),
    ];
    let sums = owners.map(|(scope, owner, time)| {
        format!(
            "SELECT '{scope}' scope,{owner} scope_key,currency,LEFT({time},p.digits) period,amount counted,0 said \
             FROM {orders}.orders JOIN (SELECT 8 digits UNION SELECT 6) p WHERE {owner} IS NOT NULL \
             AND kind<>'settlement' AND attempts>0 AND channel IS NOT NULL AND state NOT IN ('failed','returned')",
            orders = schemas.orders
        )
    });
    let sql = format!(
        "SELECT CONCAT_WS(' ',scope,scope_key,currency,period,'says',SUM(said),'orders say',SUM(counted)) FROM ({} \
         UNION ALL SELECT scope,scope_key,currency,period,0,amount FROM {}.limit_total) every \
         GROUP BY scope,scope_key,currency,period HAVING SUM(said)<>SUM(counted)",
        sums.join(" UNION ALL "),
        schemas.orders
    );
    Ok(conn.query(sql).await?)
}

pub async fn orders(conn: &mut Conn, schemas: &Schemas) -> anyhow::Result<Vec<CheckedOrder>> {
    let sql = format!(
        "SELECT order_id,serial_no,state,amount,currency,to_account,attempts FROM {}.orders WHERE kind<>'settlement'",
        schemas.orders
    );
    let rows: Vec<(String, String, String, Decimal, String, String, i64)> = conn.query(sql).await?;
    let make =
        |(order_id, serial_no, state, amount, currency, to_account, attempts)| CheckedOrder {
            order_id,
            serial_no,
            state,
            amount,
            currency,
            to_account,
            attempts,
        };
    Ok(rows.into_iter().map(make).collect())
}

pub async fn counts(
    conn: &mut Conn,
    schemas: &Schemas,
    expected: &[String],
) -> anyhow::Result<StateCounts> {
    let by_state: Vec<(String, u64)> = conn
        .query(format!(
            "SELECT state,COUNT(*) FROM {}.orders GROUP BY state",
            schemas.orders
        ))
        .await?;
    let expected = match expected.is_empty() {
        true => String::new(),
        false => format!(
            " AND account_id NOT IN {}",
            in_list(expected.iter().map(String::as_str))
        ),
    };
    // What a channel says against itself is no false alarm: a case stands behind it.
    let sql = format!(
        "SELECT COUNT(*) FROM {}.verdict WHERE NOT (rule='channel_contradicts' AND item IN \
         (SELECT order_id FROM {}.cases)){expected}",
        schemas.guard, schemas.orders
    );
    let false_positives: Option<u64> = conn.query_first(sql).await?;
    Ok(StateCounts {
        by_state: by_state.into_iter().collect(),
        false_positives: false_positives.unwrap_or(0),
    })
}
