//! SQL that reads the content of a version: `route_channel`, `route_rule`,
//! `route_detail` and `route_limit`.

use crate::routing::configuration::draft::RoutingDraft;
use crate::routing::configuration::version_repo::RoutingVersionRow;
use crate::routing::rows::{
    RoutingChannelRow, RoutingDetailRow, RoutingDetailValue, RoutingLimitRow, RoutingRuleRow,
};
use crate::routing::{LimitScope, NoRouteAction};
use anyhow::Context;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::money::Currency;
use std::collections::BTreeMap;

/// Reads a version and its whole content; `None` if there is none of that number.
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
                Some(RoutingDetailValue::Text(_) | RoutingDetailValue::Number(_)) | None => {
                    anyhow::bail!("detail {name} of {channel} has members and is no list")
                }
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
    type RoutingLimitColumns = (
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
    let stored: Vec<RoutingLimitColumns> = conn.exec(sql, (version,)).await?;
    let make =
        |(scope, key, channel, currency, single, day, month, otherwise): RoutingLimitColumns| {
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
