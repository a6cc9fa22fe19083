//! SQL of budgets: what a rule did within the hour, and what there is to stop.

use crate::rules::UNKNOWN_ITEM;
use crate::workflow::budget::{BudgetBalances, BudgetWindow};
use mysql_async::prelude::Queryable;
use mysql_async::{Transaction, params};
use rust_decimal::Decimal;
use sluice_contract::breaker::BreakerScope;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::in_list;
use std::collections::{BTreeMap, BTreeSet};

/// Accounts per statement.
const ACCOUNTS_PER_STATEMENT: usize = 500;

/// What a rule stopped since then, in mode `trip`. Values of `opened` are listed, so
/// that the index leads to just these rows: at most one breaker of each point.
pub async fn window(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    rule: &str,
    since_us: i64,
) -> mysql_async::Result<BudgetWindow> {
    let from = format!(
        "FROM {}.verdict WHERE rule = :rule AND mode = 'trip' AND found_us > :since_us",
        schemas.guard
    );
    let named = params! { rule, since_us };
    // What is not known is no mistake of the rule: it counts neither as trip nor as error.
    let known = format!("NOT (outcome = 'undetermined' AND item = '{UNKNOWN_ITEM}')");
    let narrow = narrow_breakers_sql();
    let opened =
        format!("outcome IN ('undetermined', 'violation') AND opened IN (1, 2, 3) AND {narrow}");
    let sql =
        format!("SELECT account_id, COUNT(*) {from} AND {opened} AND {known} GROUP BY account_id");
    let stopped: Vec<(String, u64)> = tx.exec(sql, named.clone()).await?;
    let sql = format!(
        "SELECT COUNT(*) {from} AND outcome = 'undetermined' AND opened IN (0, 1, 2, 3) AND {known}"
    );
    let errors: Option<u64> = tx.exec_first(sql, named).await?;
    Ok(BudgetWindow {
        trips: stopped.iter().map(|(_, count)| count).sum(),
        errors: errors.unwrap_or(0),
        accounts: stopped
            .into_iter()
            .map(|(account, _)| account)
            .filter(|a| !a.is_empty())
            .collect(),
        ..BudgetWindow::default()
    })
}

/// Verdicts whose breakers stop one owner, by the text of [`keys_text`].
///
/// [`keys_text`]: sluice_contract::breaker::keys_text
fn narrow_breakers_sql() -> String {
    let scopes = BreakerScope::ALL.into_iter().filter(|s| s.is_narrow());
    let likes: Vec<String> = scopes
        .map(|scope| format!("breaker LIKE '%/{}/%'", scope.as_str()))
        .collect();
    format!("({})", likes.join(" OR "))
}

/// How many accounts there are; `most` stands for any number above it, so that the
/// cost does not grow with them.
pub async fn accounts(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    most: usize,
) -> mysql_async::Result<usize> {
    let sql = format!(
        "SELECT DISTINCT account_id FROM {}.balance LIMIT {most}",
        schemas.balance
    );
    Ok(tx.query::<String, _>(sql).await?.len())
}

/// What these accounts hold, by currency.
pub async fn held(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    accounts: &BTreeSet<String>,
) -> mysql_async::Result<BTreeMap<String, BudgetBalances>> {
    let mut held: BTreeMap<String, BudgetBalances> = BTreeMap::new();
    let accounts: Vec<&str> = accounts.iter().map(String::as_str).collect();
    for some in accounts.chunks(ACCOUNTS_PER_STATEMENT) {
        let sql = format!(
            "SELECT account_id, currency, available + reserved FROM {}.balance WHERE account_id IN {}",
            schemas.balance,
            in_list(some.iter().copied())
        );
        for (account, currency, amount) in tx.query::<(String, String, Decimal), _>(sql).await? {
            held.entry(account).or_default().insert(currency, amount);
        }
    }
    Ok(held)
}

/// Those of `accounts` that another armed rule found a violation of since then.
pub async fn also_named(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    rule: &str,
    accounts: &BTreeSet<&str>,
    since_us: i64,
) -> mysql_async::Result<Vec<String>> {
    let sql = format!(
        "SELECT DISTINCT account_id FROM {}.verdict WHERE account_id IN {} AND rule <> :rule \
         AND outcome = 'violation' AND mode IN ('alert', 'trip') AND suppression IS NULL AND found_us > :since_us",
        schemas.guard,
        in_list(accounts.iter().copied())
    );
    tx.exec(sql, params! { rule, since_us }).await
}
