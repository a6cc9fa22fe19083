//! SQL of open verdicts: which cover a breaker, which stand at rest, and their answers.

use crate::verdicts::life::VerdictAnswer;
use mysql_async::params;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sluice_contract::breaker::{BreakerKey, parse_keys_text, texts_naming};
use sluice_contract::schema::Schemas;
use sluice_contract::sql::in_list;

/// Breakers or verdicts per statement.
const KEYS_PER_STATEMENT: usize = 200;

/// A verdict that nobody has answered, and the breakers that it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenVerdict {
    pub verdict_id: String,
    pub rule: String,
    pub set_version: i64,
    pub account_id: String,
    pub item: String,
    pub message: String,
    pub found_us: i64,
    /// As `*/account/A-17`.
    pub breaker: String,
}

impl OpenVerdict {
    pub fn names(&self, key: &BreakerKey) -> bool {
        self.keys().contains(key)
    }

    pub fn keys(&self) -> Vec<BreakerKey> {
        parse_keys_text(&self.breaker)
    }
}

/// A difference at rest that the last audits still find.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StandingDifference {
    pub verdict_id: String,
    pub rule: String,
    pub account_id: String,
    pub item: String,
    pub amount: Option<Decimal>,
    pub since_us: i64,
    #[serde(skip)]
    breaker: String,
}

impl StandingDifference {
    pub fn names(&self, key: &BreakerKey) -> bool {
        parse_keys_text(&self.breaker).contains(key)
    }
}

const OPEN_COLUMNS: &str =
    "verdict_id, rule, set_version, account_id, item, message, found_us, breaker";

type OpenRow = (String, String, i64, String, String, String, i64, String);

fn open_verdict(row: OpenRow) -> OpenVerdict {
    let (verdict_id, rule, set_version, account_id, item, message, found_us, breaker) = row;
    OpenVerdict {
        verdict_id,
        rule,
        set_version,
        account_id,
        item,
        message,
        found_us,
        breaker,
    }
}

/// Writes every text that names one of `keys`; the column's collation takes more for equal.
fn texts_of(keys: &[BreakerKey]) -> String {
    let texts: Vec<String> = keys.iter().flat_map(texts_naming).collect();
    in_list(texts.iter().map(String::as_str))
}

/// Reads open verdicts that name one of `keys`, at most `limit` per 200 of them, oldest first.
pub async fn open_on<Q: Queryable>(
    conn: &mut Q,
    schemas: &Schemas,
    keys: &[BreakerKey],
    limit: usize,
) -> mysql_async::Result<Vec<OpenVerdict>> {
    let mut open: Vec<OpenVerdict> = Vec::new();
    for some in keys.chunks(KEYS_PER_STATEMENT) {
        let sql = format!(
            "SELECT {OPEN_COLUMNS} FROM {}.verdict FORCE INDEX (by_breaker) WHERE breaker IN {} AND life = 'open' \
             ORDER BY found_us, verdict_id LIMIT {limit}",
            schemas.guard,
            texts_of(some)
        );
        let found = conn.query_map(sql, open_verdict).await?;
        let named = |v: &OpenVerdict| some.iter().any(|key| v.names(key));
        open.extend(found.into_iter().filter(named));
    }
    Ok(open)
}

/// Reads open verdicts of a rule at a version of the set that name a breaker, at most `limit`.
pub async fn open_of<Q: Queryable>(
    conn: &mut Q,
    schemas: &Schemas,
    (rule, set_version): (&str, i64),
    limit: usize,
) -> mysql_async::Result<Vec<OpenVerdict>> {
    let sql = format!(
        "SELECT {OPEN_COLUMNS} FROM {}.verdict FORCE INDEX (by_life_rule) WHERE life = 'open' AND rule = :rule \
         AND set_version = :set_version AND breaker IS NOT NULL ORDER BY verdict_id LIMIT {limit}",
        schemas.guard
    );
    conn.exec_map(sql, params! { rule, set_version }, open_verdict)
        .await
}

/// Reads differences at rest that stand and name one of `keys`.
pub async fn standing_on<Q: Queryable>(
    conn: &mut Q,
    schemas: &Schemas,
    keys: &[BreakerKey],
) -> mysql_async::Result<Vec<StandingDifference>> {
    let mut standing = Vec::new();
    for some in keys.chunks(KEYS_PER_STATEMENT) {
        let sql = format!(
            "SELECT v.verdict_id, v.rule, v.account_id, v.item, v.amount, s.since_us, v.breaker \
             FROM {0}.audit_finding s JOIN {0}.verdict v USING (verdict_id) WHERE v.breaker IN {1} \
             ORDER BY s.since_us, v.verdict_id",
            schemas.guard,
            texts_of(some)
        );
        let make =
            |(verdict_id, rule, account_id, item, amount, since_us, breaker)| StandingDifference {
                verdict_id,
                rule,
                account_id,
                item,
                amount,
                since_us,
                breaker,
            };
        let found: Vec<StandingDifference> = conn.query_map(sql, make).await?;
        let named = |s: &StandingDifference| some.iter().any(|key| s.names(key));
        standing.extend(found.into_iter().filter(named));
    }
    Ok(standing)
}

/// Reads one verdict's life and breakers; who holds the seal's lock is alone with it.
pub async fn life_of<Q: Queryable>(
    tx: &mut Q,
    schemas: &Schemas,
    id: &str,
) -> mysql_async::Result<Option<(String, Vec<BreakerKey>)>> {
    let sql = format!(
        "SELECT life, breaker FROM {}.verdict WHERE verdict_id = :id",
        schemas.guard
    );
    let row: Option<(String, Option<String>)> = tx.exec_first(sql, params! { id }).await?;
    Ok(row.map(|(life, breaker)| (life, parse_keys_text(&breaker.unwrap_or_default()))))
}

/// Marks verdicts of before as open whose breaker is open, and was when they were found:
/// `open` has each open breaker with the time of its opening and the verdict that did it.
/// Done once, it finds nothing more.
pub async fn open_those_of_before<Q: Queryable>(
    conn: &mut Q,
    schemas: &Schemas,
    open: &[(BreakerKey, i64, Option<String>)],
) -> mysql_async::Result<u64> {
    let guard = &schemas.guard;
    let mut marked = 0;
    for some in open.chunks(KEYS_PER_STATEMENT) {
        let keys: Vec<BreakerKey> = some.iter().map(|(key, ..)| key.clone()).collect();
        let sql = format!(
            "SELECT {OPEN_COLUMNS} FROM {guard}.verdict FORCE INDEX (by_breaker) WHERE breaker IN {} AND life = 'before'",
            texts_of(&keys)
        );
        let before = conn.query_map(sql, open_verdict).await?;
        let is_on = |v: &&OpenVerdict| {
            some.iter().any(|(key, since_us, by)| {
                let opened_it = by.as_ref() == Some(&v.verdict_id);
                v.names(key) && (opened_it || v.found_us >= *since_us)
            })
        };
        let ids: Vec<&str> = before
            .iter()
            .filter(is_on)
            .map(|v| v.verdict_id.as_str())
            .collect();
        for ids in ids.chunks(KEYS_PER_STATEMENT) {
            let sql = format!(
                "UPDATE {guard}.verdict SET life = 'open' WHERE verdict_id IN {} AND life = 'before'",
                in_list(ids.iter().copied())
            );
            conn.query_drop(sql).await?;
            marked += ids.len() as u64;
        }
    }
    Ok(marked)
}

/// Whether any verdict of before is left.
pub async fn has_any_of_before<Q: Queryable>(
    conn: &mut Q,
    schemas: &Schemas,
) -> mysql_async::Result<bool> {
    let sql = format!(
        "SELECT 1 FROM {}.verdict FORCE INDEX (by_life) WHERE life = 'before' LIMIT 1",
        schemas.guard
    );
    Ok(conn.query_first::<u8, _>(sql).await?.is_some())
}

/// Writes a person's answer to those of `ids` that are open.
pub async fn answer<Q: Queryable>(
    tx: &mut Q,
    schemas: &Schemas,
    ids: &[&str],
    given: VerdictAnswer<'_>,
) -> mysql_async::Result<()> {
    for some in ids.chunks(KEYS_PER_STATEMENT) {
        let sql = format!(
            "UPDATE {}.verdict SET life = 'answered', answered_us = :at_us, answered_by = :by, answer = :text, \
             answered_with = :with WHERE verdict_id IN {} AND life = 'open'",
            schemas.guard,
            in_list(some.iter().copied())
        );
        let values = params! {
            "at_us" => given.at_us, "by" => given.by, "text" => given.text, "with" => given.with,
        };
        tx.exec_drop(sql, values).await?;
    }
    Ok(())
}
