//! All SQL on `route_*` and `limit_total`.
//!
//! Lock order: totals come after orders, balances and captures, in the order of
//! their key. A row that this transaction makes (version 1) is a plain INSERT: if
//! another instance made it meanwhile, the duplicate key makes the batch run again
//! instead of overwriting what the other has counted.

use crate::routing::draft::{
    RoutingChannelRow, RoutingDetailRow, RoutingDetailValue, RoutingDraft, RoutingLimitRow,
    RoutingRuleRow,
};
use crate::routing::totals::{LimitTotal, LimitTotalKey};
use crate::routing::{LimitScope, NoRouteAction};
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use rust_decimal::Decimal;
use sluice_contract::money::Currency;
use sluice_contract::sql::{SqlLiteral, in_list, push_row};
use std::collections::{BTreeMap, BTreeSet};

/// Rows of one INSERT at most: a blacklist may have very many members.
const MAX_ROWS_PER_INSERT: usize = 1_000;

/// Who made a version, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutingVersionRow {
    pub version: i64,
    pub author: String,
    pub reason: String,
    pub hash: String,
    pub created_us: i64,
}

/// A version put in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutingActivationRow {
    pub epoch: i64,
    pub version: i64,
    pub previous: i64,
    pub author: String,
    pub reason: String,
    pub activated_us: i64,
}

/// The version in force; 0 if none ever was.
pub async fn active_version(conn: &mut impl Queryable) -> anyhow::Result<i64> {
    let found: Option<i64> = conn
        .query_first("SELECT version FROM route_active WHERE name='active'")
        .await?;
    Ok(found.unwrap_or(0))
}

/// The row of what is in force, locked until the transaction ends: who changes the
/// routing waits for whoever else does. Epoch and version.
pub async fn lock_active(conn: &mut impl Queryable) -> anyhow::Result<(i64, i64)> {
    let first = "INSERT INTO route_active (name,version,epoch,updated_us) VALUES ('active',0,0,0) \
                 ON DUPLICATE KEY UPDATE name=name";
    conn.query_drop(first).await?;
    let locked = conn
        .query_first("SELECT epoch,version FROM route_active WHERE name='active' FOR UPDATE")
        .await?;
    locked.context("route_active has no row")
}

/// Puts a version in force, if `from` (epoch, version) still is.
pub async fn activate(
    conn: &mut impl Queryable,
    from: (i64, i64),
    row: &RoutingActivationRow,
) -> anyhow::Result<()> {
    let update =
        "UPDATE route_active SET version=?,epoch=?,updated_us=? WHERE name='active' AND epoch=?";
    let mut done = conn
        .exec_iter(update, (row.version, row.epoch, row.activated_us, from.0))
        .await?;
    let changed = done.affected_rows();
    let _: Vec<Row> = done.collect().await?;
    drop(done);
    ensure!(
        changed == 1,
        "another change came first: look at it, then try again"
    );
    let log = "INSERT INTO route_activation (epoch,version,previous,author,reason,activated_us) VALUES (?,?,?,?,?,?)";
    conn.exec_drop(
        log,
        (
            row.epoch,
            row.version,
            from.1,
            &row.author,
            &row.reason,
            row.activated_us,
        ),
    )
    .await?;
    Ok(())
}

pub async fn latest_version(conn: &mut impl Queryable) -> anyhow::Result<i64> {
    let found: Option<Option<i64>> = conn
        .query_first("SELECT MAX(version) FROM route_version")
        .await?;
    Ok(found.flatten().unwrap_or(0))
}

pub async fn versions(conn: &mut impl Queryable) -> anyhow::Result<Vec<RoutingVersionRow>> {
    let rows: Vec<(i64, String, String, String, i64)> = conn
        .query("SELECT version,author,reason,hash,created_us FROM route_version ORDER BY version")
        .await?;
    let make = |(version, author, reason, hash, created_us)| RoutingVersionRow {
        version,
        author,
        reason,
        hash,
        created_us,
    };
    Ok(rows.into_iter().map(make).collect())
}

pub async fn activations(conn: &mut impl Queryable) -> anyhow::Result<Vec<RoutingActivationRow>> {
    let sql = "SELECT epoch,version,previous,author,reason,activated_us FROM route_activation ORDER BY epoch";
    let rows: Vec<(i64, i64, i64, String, String, i64)> = conn.query(sql).await?;
    let make = |(epoch, version, previous, author, reason, activated_us)| RoutingActivationRow {
        epoch,
        version,
        previous,
        author,
        reason,
        activated_us,
    };
    Ok(rows.into_iter().map(make).collect())
}

/// A version and its whole content; `None` if there is none of that number.
///
/// # Errors
/// The database's, or rows that no release of ours wrote: then it isn't one of
/// `mysql_async`.
pub async fn load(
    conn: &mut impl Queryable,
    version: i64,
) -> anyhow::Result<Option<(RoutingVersionRow, RoutingDraft)>> {
    let head = "SELECT author,reason,hash,no_route,created_us FROM route_version WHERE version=?";
    let head: Option<(String, String, String, String, i64)> =
        conn.exec_first(head, (version,)).await?;
    let Some((author, reason, hash, no_route, created_us)) = head else {
        return Ok(None);
    };
    let channels = "SELECT channel,priority,weight,paused,note FROM route_channel WHERE version=?";
    let channels: Vec<(String, i64, i64, bool, String)> = conn.exec(channels, (version,)).await?;
    let channel = |(channel, priority, weight, paused, note)| RoutingChannelRow {
        channel,
        priority,
        weight,
        paused,
        note,
    };
    let draft = RoutingDraft {
        no_route: no_route.parse()?,
        channels: channels.into_iter().map(channel).collect(),
        rules: rules(conn, version).await?,
        limits: limits(conn, version).await?,
    };
    Ok(Some((
        RoutingVersionRow {
            version,
            author,
            reason,
            hash,
            created_us,
        },
        draft.canonical(),
    )))
}

async fn rules(conn: &mut impl Queryable, version: i64) -> anyhow::Result<Vec<RoutingRuleRow>> {
    let sql = "SELECT rule,channel,name,item,kind,value FROM route_detail WHERE version=? \
               ORDER BY rule,channel,name,item";
    let stored: Vec<(String, String, String, i64, String, String)> =
        conn.exec(sql, (version,)).await?;
    let mut details: BTreeMap<String, Vec<RoutingDetailRow>> = BTreeMap::new();
    for (rule, channel, name, item, kind, value) in stored {
        let of_rule = details.entry(rule).or_default();
        if item > 0 {
            let last = of_rule
                .last_mut()
                .filter(|d| d.channel == channel && d.name == name);
            match last.map(|d| &mut d.value) {
                Some(RoutingDetailValue::List(list)) => list.push(value),
                _ => anyhow::bail!("detail {name} of {channel} has members and is no list"),
            }
            continue;
        }
        let value = match kind.as_str() {
            "text" => RoutingDetailValue::Text(value),
            "number" => RoutingDetailValue::Number(
                Decimal::from_str_exact(&value).context("detail that is no number")?,
            ),
            "list" => RoutingDetailValue::List(Vec::new()),
            other => anyhow::bail!("detail {name} is of kind {other:?}"),
        };
        of_rule.push(RoutingDetailRow {
            channel,
            name,
            value,
        });
    }
    let sql = "SELECT rule,condition_text,message,otherwise FROM route_rule WHERE version=? ORDER BY sort_order";
    let stored: Vec<(String, String, String, String)> = conn.exec(sql, (version,)).await?;
    let make = |(rule, condition, message, otherwise): (String, String, String, String)| {
        let details = details.remove(&rule).unwrap_or_default();
        Ok(RoutingRuleRow {
            rule,
            condition,
            message,
            otherwise: otherwise.parse::<NoRouteAction>()?,
            details,
        })
    };
    stored.into_iter().map(make).collect()
}

async fn limits(conn: &mut impl Queryable, version: i64) -> anyhow::Result<Vec<RoutingLimitRow>> {
    type Stored = (
        String,
        String,
        String,
        String,
        Option<Decimal>,
        Option<Decimal>,
        Option<Decimal>,
        String,
    );
    let sql = "SELECT scope,scope_key,channel,currency,single,day,month,otherwise FROM route_limit WHERE version=?";
    let stored: Vec<Stored> = conn.exec(sql, (version,)).await?;
    let make = |(scope, key, channel, currency, single, day, month, otherwise): Stored| {
        let currency = currency
            .parse::<Currency>()
            .with_context(|| format!("limit in {currency:?}"))?;
        let (scope, otherwise) = (
            scope.parse::<LimitScope>()?,
            otherwise.parse::<NoRouteAction>()?,
        );
        Ok(RoutingLimitRow {
            scope,
            key,
            channel,
            currency,
            single,
            day,
            month,
            otherwise,
        })
    };
    stored.into_iter().map(make).collect()
}

/// Writes a new version. Takes a canonical draft and an open transaction.
pub async fn insert(
    conn: &mut impl Queryable,
    row: &RoutingVersionRow,
    draft: &RoutingDraft,
) -> anyhow::Result<()> {
    let head = "INSERT INTO route_version (version,author,reason,hash,no_route,created_us) VALUES (?,?,?,?,?,?)";
    let no_route = draft.no_route.as_str();
    conn.exec_drop(
        head,
        (
            row.version,
            &row.author,
            &row.reason,
            &row.hash,
            no_route,
            row.created_us,
        ),
    )
    .await?;
    for text in content_sql(row.version, draft) {
        conn.query_drop(text).await?;
    }
    Ok(())
}

fn content_sql(version: i64, draft: &RoutingDraft) -> Vec<String> {
    let (v, amount) = (SqlLiteral::Int(version), |a: Option<Decimal>| {
        a.map_or(SqlLiteral::Null, SqlLiteral::Dec)
    });
    let channels = draft.channels.iter().map(|c| {
        let (weight, paused) = (SqlLiteral::Int(c.weight), SqlLiteral::Int(c.paused.into()));
        vec![
            v,
            SqlLiteral::Text(&c.channel),
            SqlLiteral::Int(c.priority),
            weight,
            paused,
            SqlLiteral::Text(&c.note),
        ]
    });
    let rules = draft.rules.iter().zip(1..).map(|(r, ord)| {
        let otherwise = SqlLiteral::Text(r.otherwise.as_str());
        vec![
            v,
            SqlLiteral::Text(&r.rule),
            SqlLiteral::Int(ord),
            SqlLiteral::Text(&r.condition),
            SqlLiteral::Text(&r.message),
            otherwise,
        ]
    });
    let limits = draft.limits.iter().map(|l| {
        let (key, channel, currency) = (
            SqlLiteral::Text(&l.key),
            SqlLiteral::Text(&l.channel),
            SqlLiteral::Text(l.currency.code()),
        );
        let (single, day, month) = (amount(l.single), amount(l.day), amount(l.month));
        vec![
            v,
            SqlLiteral::Text(l.scope.as_str()),
            key,
            channel,
            currency,
            single,
            day,
            month,
            SqlLiteral::Text(l.otherwise.as_str()),
        ]
    });
    let numbers: Vec<String> = draft
        .rules
        .iter()
        .flat_map(|r| &r.details)
        .map(number_text)
        .collect();
    let mut number = numbers.iter();
    let mut details = Vec::new();
    for r in &draft.rules {
        for d in &r.details {
            let text = number.next().map_or("", String::as_str);
            let row = |item: i64, kind, value| {
                let (channel, name) = (SqlLiteral::Text(&d.channel), SqlLiteral::Text(&d.name));
                vec![
                    v,
                    SqlLiteral::Text(&r.rule),
                    channel,
                    name,
                    SqlLiteral::Int(item),
                    SqlLiteral::Text(kind),
                    SqlLiteral::Text(value),
                ]
            };
            match &d.value {
                RoutingDetailValue::Text(value) => details.push(row(0, "text", value)),
                RoutingDetailValue::Number(_) => details.push(row(0, "number", text)),
                RoutingDetailValue::List(list) => {
                    details.push(row(0, "list", ""));
                    details.extend(
                        list.iter()
                            .zip(1..)
                            .map(|(member, item)| row(item, "list", member)),
                    );
                }
            }
        }
    }
    let mut all = inserts(
        "INSERT INTO route_channel (version,channel,priority,weight,paused,note) VALUES ",
        channels,
    );
    all.extend(inserts(
        "INSERT INTO route_rule (version,rule,sort_order,condition_text,message,otherwise) VALUES ",
        rules,
    ));
    all.extend(inserts(
        "INSERT INTO route_detail (version,rule,channel,name,item,kind,value) VALUES ",
        details.into_iter(),
    ));
    all.extend(inserts(
        "INSERT INTO route_limit (version,scope,scope_key,channel,currency,single,day,month,otherwise) VALUES ",
        limits,
    ));
    all
}

fn number_text(detail: &RoutingDetailRow) -> String {
    match &detail.value {
        RoutingDetailValue::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

fn inserts<'a>(head: &str, rows: impl Iterator<Item = Vec<SqlLiteral<'a>>>) -> Vec<String> {
    let rows: Vec<Vec<SqlLiteral<'a>>> = rows.collect();
    let text = |some: &[Vec<SqlLiteral<'a>>]| {
        let mut sql = head.to_owned();
        some.iter()
            .enumerate()
            .for_each(|(at, row)| push_row(&mut sql, at == 0, row));
        sql
    };
    rows.chunks(MAX_ROWS_PER_INSERT).map(text).collect()
}

/// Statements that read totals, one a scope, in the order of the key. The lists of
/// a scope cover every row that is wanted and some that aren't.
fn totals_sql(wanted: &BTreeSet<LimitTotalKey>, lock: &str) -> Vec<String> {
    let statement = |scope: LimitScope| {
        let of = || wanted.iter().filter(move |k| k.scope == scope);
        of().next()?;
        let keys: BTreeSet<&str> = of().map(|k| k.key.as_str()).collect();
        let currencies: BTreeSet<&str> = of().map(|k| k.currency.code()).collect();
        let periods: BTreeSet<&str> = of().map(|k| k.period.as_str()).collect();
        Some(format!(
            "SELECT scope,scope_key,currency,period,amount,version FROM limit_total FORCE INDEX (PRIMARY) \
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

async fn totals(
    conn: &mut Conn,
    wanted: &BTreeSet<LimitTotalKey>,
    lock: &str,
) -> anyhow::Result<Vec<LimitTotal>> {
    let statements = totals_sql(wanted, lock);
    let mut all = Vec::with_capacity(wanted.len());
    if statements.is_empty() {
        return Ok(all);
    }
    let mut sets = conn.query_iter(statements.join("; ")).await?;
    for _ in &statements {
        let rows: Vec<Row> = sets.collect().await?;
        for row in rows {
            type Stored = (String, String, String, String, Decimal, i64);
            let stored: Stored = mysql_async::from_row_opt(row).context("limit_total row")?;
            let (scope, key, currency, period, amount, version) = stored;
            let currency = currency
                .parse()
                .with_context(|| format!("limit_total.currency {currency:?}"))?;
            all.push(LimitTotal {
                at: LimitTotalKey {
                    scope: scope.parse()?,
                    key,
                    currency,
                    period,
                },
                amount,
                version,
            });
        }
    }
    Ok(all)
}

/// Reads the totals and locks them until the transaction ends.
pub async fn lock_totals(
    conn: &mut Conn,
    wanted: &BTreeSet<LimitTotalKey>,
) -> anyhow::Result<Vec<LimitTotal>> {
    totals(conn, wanted, " FOR UPDATE").await
}

/// Reads the totals as they are, for people.
pub async fn read_totals(
    conn: &mut Conn,
    wanted: &BTreeSet<LimitTotalKey>,
) -> anyhow::Result<Vec<LimitTotal>> {
    totals(conn, wanted, "").await
}

/// Appends totals that this transaction changed.
pub fn push_totals(sql: &mut String, totals: &[LimitTotal], now_us: i64) {
    let (made, known): (Vec<&LimitTotal>, Vec<&LimitTotal>) =
        totals.iter().partition(|t| t.version == 1);
    if !made.is_empty() {
        push_total_rows(sql, &made, now_us);
        sql.push(';');
    }
    if !known.is_empty() {
        push_total_rows(sql, &known, now_us);
        sql.push_str(
            " ON DUPLICATE KEY UPDATE amount=VALUES(amount),version=VALUES(version),updated_us=VALUES(updated_us);",
        );
    }
}

fn push_total_rows(sql: &mut String, totals: &[&LimitTotal], now_us: i64) {
    sql.push_str("INSERT INTO limit_total (scope,scope_key,currency,period,amount,version,updated_us) VALUES ");
    for (at, t) in totals.iter().enumerate() {
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
            ],
        );
    }
}

/// Orders that wait for a route: how many, and when the oldest was made. Ended
/// orders have no due time, so this doesn't grow with history.
pub async fn unrouted(conn: &mut impl Queryable) -> anyhow::Result<(i64, Option<i64>)> {
    let sql = "SELECT COUNT(*),MIN(created_us) FROM orders \
               WHERE due_us > 0 AND state='init' AND (attempts=0 OR channel IS NULL) AND route IS NOT NULL";
    Ok(conn.query_first(sql).await?.unwrap_or((0, None)))
}
