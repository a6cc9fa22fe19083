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

/// One row's values, in the order of the columns.
type RowValues<'a> = Vec<SqlLiteral<'a>>;

fn content_sql(version: i64, draft: &RoutingDraft) -> Vec<String> {
    let v = SqlLiteral::Int(version);
    let numbers = number_texts(draft);
    let channels = channel_rows(v, draft);
    let mut all = inserts(
        "INSERT INTO route_channel (version,channel,priority,weight,paused,note) VALUES ",
        channels,
    );
    all.extend(inserts(
        "INSERT INTO route_rule (version,rule,sort_order,condition_text,message,otherwise) VALUES ",
        rule_rows(v, draft),
    ));
    all.extend(inserts(
        "INSERT INTO route_detail (version,rule,channel,name,item,kind,value) VALUES ",
        detail_rows(v, draft, &numbers).into_iter(),
    ));
    all.extend(inserts(
        "INSERT INTO route_limit (version,scope,scope_key,channel,currency,single,day,month,otherwise) VALUES ",
        limit_rows(v, draft),
    ));
    all
}

fn channel_rows<'a>(
    v: SqlLiteral<'a>,
    draft: &'a RoutingDraft,
) -> impl Iterator<Item = RowValues<'a>> {
    draft.channels.iter().map(move |c| {
        let (weight, paused) = (SqlLiteral::Int(c.weight), SqlLiteral::Int(c.paused.into()));
        vec![
            v,
            SqlLiteral::Text(&c.channel),
            SqlLiteral::Int(c.priority),
            weight,
            paused,
            SqlLiteral::Text(&c.note),
        ]
    })
}

fn rule_rows<'a>(
    v: SqlLiteral<'a>,
    draft: &'a RoutingDraft,
) -> impl Iterator<Item = RowValues<'a>> {
    draft.rules.iter().zip(1..).map(move |(r, ord)| {
        let otherwise = SqlLiteral::Text(r.otherwise.as_str());
        vec![
            v,
            SqlLiteral::Text(&r.rule),
            SqlLiteral::Int(ord),
            SqlLiteral::Text(&r.condition),
            SqlLiteral::Text(&r.message),
            otherwise,
        ]
    })
}

fn limit_rows<'a>(
    v: SqlLiteral<'a>,
    draft: &'a RoutingDraft,
) -> impl Iterator<Item = RowValues<'a>> {
    let amount = |a: Option<Decimal>| a.map_or(SqlLiteral::Null, SqlLiteral::Dec);
    draft.limits.iter().map(move |l| {
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
    })
}

/// `numbers` are the texts of the details that are numbers, in their order, and empty
/// ones for the others.
fn detail_rows<'a>(
    v: SqlLiteral<'a>,
    draft: &'a RoutingDraft,
    numbers: &'a [String],
) -> Vec<RowValues<'a>> {
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
    details
}

fn number_texts(draft: &RoutingDraft) -> Vec<String> {
    let details = draft.rules.iter().flat_map(|r| &r.details);
    details.map(number_text).collect()
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
