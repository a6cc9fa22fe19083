//! All SQL on `limit_total`.
//!
//! Lock order: totals come after orders, balances and captures, in the order of
//! their key. A row that this transaction makes (version 1) is a plain INSERT: if
//! another instance made it meanwhile, the duplicate key makes the batch run again
//! instead of overwriting what the other has counted.

use crate::batch::LockWait;
use crate::metrics::METRICS;
use crate::orders::OrderSeals;
use crate::routing::LimitScope;
use crate::routing::limits::{LimitTotal, LimitTotalKey};
use anyhow::Context;
use rust_decimal::Decimal;
use sluice_contract::money::column_units;
use sluice_contract::provenance::EffectField::{self, Int, Text};
use sluice_contract::provenance::guard_mac;
use sluice_contract::settings::Secret;
use sluice_contract::sql::{Conn, SqlLiteral, in_list, push_row};
use std::collections::BTreeSet;

/// Makes the statements that read totals, one a scope, in the order of the key. The lists of
/// a scope cover every row that is wanted and some that aren't.
fn totals_sql(wanted: &BTreeSet<LimitTotalKey>, lock: &str) -> Vec<String> {
    let statement = |scope: LimitScope| {
        let of = || wanted.iter().filter(move |k| k.scope == scope);
        of().next()?;
        let keys: BTreeSet<&str> = of().map(|k| k.key.as_str()).collect();
        let currencies: BTreeSet<&str> = of().map(|k| k.currency.code()).collect();
        let periods: BTreeSet<&str> = of().map(|k| k.period.as_str()).collect();
        Some(format!(
            "SELECT scope,scope_key,currency,period,amount,version,mac FROM limit_total FORCE INDEX (PRIMARY) \
             WHERE scope='{}' AND scope_key IN {} AND currency IN {} AND period IN {} \
             ORDER BY period,scope,scope_key,currency{lock}",
            scope.as_str(),
            in_list(keys.into_iter()),
            in_list(currencies.into_iter()),
            in_list(periods.into_iter())
        ))
    };
    LimitScope::ALL.into_iter().filter_map(statement).collect()
}

/// Fields of a total as they are signed.
fn fields<'a>(at: &'a LimitTotalKey, amount: Decimal, version: i64) -> [EffectField<'a>; 6] {
    [
        Text(at.scope.as_str().as_bytes()),
        Text(at.key.as_bytes()),
        Text(at.currency.code().as_bytes()),
        Text(at.period.as_bytes()),
        // More decimals than the column has are no total of ours.
        Int(column_units(amount).unwrap_or(-1)),
        Int(version.into()),
    ]
}

/// Whether a total may be counted on: a core wrote it, or it may be from before cores signed.
fn is_believed(seals: &OrderSeals, total: &LimitTotal, mac: Option<&str>) -> bool {
    let row = fields(&total.at, total.amount, total.version);
    let signed = mac.is_some_and(|mac| seals.is_signed_row("limit_total", &row, mac));
    let is_believed = signed || !seals.signed_since().is_required_of(&total.at.period);
    if !is_believed {
        METRICS
            .guard_unsigned
            .with_label_values(&["limit_total"])
            .inc();
        tracing::error!(
            total = total.at.label(),
            "no core wrote this limit total: orders that count there wait"
        );
    }
    is_believed
}

async fn totals(
    conn: &mut Conn,
    seals: &OrderSeals,
    wanted: &BTreeSet<LimitTotalKey>,
    lock: &str,
) -> anyhow::Result<Vec<LimitTotal>> {
    let statements = totals_sql(wanted, lock);
    let mut all = Vec::with_capacity(wanted.len());
    if statements.is_empty() {
        return Ok(all);
    }
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    for rows in conn.query_sets(&statements).await? {
        for row in rows {
            type LimitTotalColumns = (String, String, String, String, Decimal, i64, Option<String>);
            let stored: LimitTotalColumns =
                mysql_async::from_row_opt(row).context("limit_total row")?;
            let (scope, key, currency, period, amount, version, mac) = stored;
            let currency = currency
                .parse()
                .with_context(|| format!("limit_total.currency {currency:?}"))?;
            let mut total = LimitTotal {
                at: LimitTotalKey {
                    scope: scope.parse()?,
                    key,
                    currency,
                    period,
                },
                amount,
                version,
                is_believed: true,
            };
            // A lock by lists covers more than was asked for.
            total.is_believed =
                !wanted.contains(&total.at) || is_believed(seals, &total, mac.as_deref());
            all.push(total);
        }
    }
    Ok(all)
}

/// Reads the totals and locks them until the transaction ends.
pub async fn lock_totals(
    conn: &mut Conn,
    seals: &OrderSeals,
    wanted: &BTreeSet<LimitTotalKey>,
    wait: LockWait,
) -> anyhow::Result<Vec<LimitTotal>> {
    totals(conn, seals, wanted, &wait.of(" FOR UPDATE".to_owned())).await
}

/// Reads the totals as they are, for people.
pub async fn read_totals(
    conn: &mut Conn,
    seals: &OrderSeals,
    wanted: &BTreeSet<LimitTotalKey>,
) -> anyhow::Result<Vec<LimitTotal>> {
    totals(conn, seals, wanted, "").await
}

/// Appends totals that this transaction changed.
pub fn push_totals(sql: &mut String, totals: &[LimitTotal], key: &Secret, now_us: i64) {
    let (made, known): (Vec<&LimitTotal>, Vec<&LimitTotal>) =
        totals.iter().partition(|t| t.version == 1);
    if !made.is_empty() {
        push_total_rows(sql, &made, key, now_us);
        sql.push(';');
    }
    if !known.is_empty() {
        push_total_rows(sql, &known, key, now_us);
        sql.push_str(
            " ON DUPLICATE KEY UPDATE amount=VALUES(amount),version=VALUES(version),updated_us=VALUES(updated_us),mac=VALUES(mac);",
        );
    }
}

fn push_total_rows(sql: &mut String, totals: &[&LimitTotal], key: &Secret, now_us: i64) {
    sql.push_str("INSERT INTO limit_total (scope,scope_key,currency,period,amount,version,updated_us,mac) VALUES ");
    for (at, t) in totals.iter().enumerate() {
        let mac = guard_mac(key, "limit_total", &fields(&t.at, t.amount, t.version));
        push_row(
            sql,
            at == 0,
            &[
                SqlLiteral::Text(t.at.scope.as_str()),
                SqlLiteral::Text(&t.at.key),
                SqlLiteral::Text(t.at.currency.code()),
                SqlLiteral::Text(&t.at.period),
                SqlLiteral::Dec(t.amount),
                SqlLiteral::Int(t.version),
                SqlLiteral::Int(now_us),
                SqlLiteral::Text(&mac),
            ],
        );
    }
}
