//! SQL that writes the content of a new version.

use crate::routing::configuration::draft::RoutingDraft;
use crate::routing::configuration::version_repo::RoutingVersionRow;
use crate::routing::rows::{RoutingDetailRow, RoutingDetailValue};
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::sql::{SqlLiteral, push_row};

/// Rows of one INSERT at most: a blacklist may have very many members.
const MAX_ROWS_PER_INSERT: usize = 1_000;

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

/// INSERTs of a version's whole content, table by table.
fn content_sql(version: i64, draft: &RoutingDraft) -> Vec<String> {
    let v = SqlLiteral::Int(version);
    let mut all = channel_sql(v, draft);
    all.extend(rule_sql(v, draft));
    all.extend(detail_sql(v, draft));
    all.extend(limit_sql(v, draft));
    all
}

fn channel_sql(v: SqlLiteral<'_>, draft: &RoutingDraft) -> Vec<String> {
    let head = "INSERT INTO route_channel (version,channel,priority,weight,paused,note) VALUES ";
    let rows = draft.channels.iter().map(|c| {
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
    inserts(head, rows)
}

fn rule_sql(v: SqlLiteral<'_>, draft: &RoutingDraft) -> Vec<String> {
    let head =
        "INSERT INTO route_rule (version,rule,sort_order,condition_text,message,otherwise) VALUES ";
    let rows = draft.rules.iter().zip(1..).map(|(r, ord)| {
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
    inserts(head, rows)
}

fn limit_sql(v: SqlLiteral<'_>, draft: &RoutingDraft) -> Vec<String> {
    let head = "INSERT INTO route_limit (version,scope,scope_key,channel,currency,single,day,month,otherwise) VALUES ";
    let amount = |a: Option<Decimal>| a.map_or(SqlLiteral::Null, SqlLiteral::Dec);
    let rows = draft.limits.iter().map(|l| {
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
    inserts(head, rows)
}

fn detail_sql(v: SqlLiteral<'_>, draft: &RoutingDraft) -> Vec<String> {
    let head = "INSERT INTO route_detail (version,rule,channel,name,item,kind,value) VALUES ";
    let numbers: Vec<String> = draft
        .rules
        .iter()
        .flat_map(|r| &r.details)
        .map(number_text)
        .collect();
    let mut number = numbers.iter();
    let mut rows = Vec::new();
    for r in &draft.rules {
        for d in &r.details {
            let text = number.next().map_or("", String::as_str);
            push_detail(&mut rows, v, &r.rule, d, text);
        }
    }
    inserts(head, rows.into_iter())
}

/// Rows of one detail: one of its value, and for a list one more per member.
fn push_detail<'a>(
    rows: &mut Vec<Vec<SqlLiteral<'a>>>,
    v: SqlLiteral<'a>,
    rule: &'a str,
    d: &'a RoutingDetailRow,
    number: &'a str,
) {
    let row = |item: i64, kind, value| {
        let (channel, name) = (SqlLiteral::Text(&d.channel), SqlLiteral::Text(&d.name));
        vec![
            v,
            SqlLiteral::Text(rule),
            channel,
            name,
            SqlLiteral::Int(item),
            SqlLiteral::Text(kind),
            SqlLiteral::Text(value),
        ]
    };
    match &d.value {
        RoutingDetailValue::Text(value) => rows.push(row(0, "text", value)),
        RoutingDetailValue::Number(_) => rows.push(row(0, "number", number)),
        RoutingDetailValue::List(list) => {
            rows.push(row(0, "list", ""));
            rows.extend(
                list.iter()
                    .zip(1..)
                    .map(|(member, item)| row(item, "list", member)),
            );
        }
    }
}

fn number_text(detail: &RoutingDetailRow) -> String {
    match &detail.value {
        RoutingDetailValue::Number(number) => number.to_string(),
        RoutingDetailValue::Text(_) | RoutingDetailValue::List(_) => String::new(),
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
