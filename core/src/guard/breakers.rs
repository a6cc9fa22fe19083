//! Breakers as the claim reads them. All SQL on `breaker` of the core; nothing here
//! writes it. Which orders a breaker covers, `sluice_contract::breaker` decides.
//!
//! A breaker that somebody closed or deleted by hand is not closed: the sidecar's seal
//! covers what is open, and while it does not fit, everybody is stopped.

use crate::metrics::METRICS;
use crate::orders::Order;
use mysql_async::prelude::Queryable;
use sluice_contract::breaker::{BreakerKey, BreakerPoint, SealedBreaker, is_sealed};
use sluice_contract::keys::SigningKeys;
use sluice_contract::schema::Schemas;

/// Reason of the breakers that a broken seal opens.
const UNSEALED: &str =
    "the breakers were changed by hand: look at each, then `sluice breakers seal`";

/// Every breaker that isn't closed: a short list by nature.
#[derive(Debug, Default, Clone)]
pub struct OpenBreakers {
    open: Vec<(BreakerKey, String)>,
    /// Rows that this version does not know, as they are written.
    unknown: Vec<String>,
}

/// Reads the breakers in the claim's own transaction (promise 6). Whatever isn't closed
/// stops, a state that this build doesn't know too: two ranges of the index, which
/// pass over the closed ones.
///
/// # Errors
/// The database's. A row whose point or scope this version does not know stops all that it
/// may mean: everything at its point, or everywhere.
pub async fn read(conn: &mut impl Queryable, schemas: &Schemas) -> anyhow::Result<OpenBreakers> {
    let sql = format!(
        "SELECT point,scope,scope_key,reason FROM {}.breaker FORCE INDEX (by_state_alone) WHERE state<>'closed'",
        schemas.guard
    );
    let rows: Vec<(String, String, String, String)> = conn.query(sql).await?;
    Ok(OpenBreakers::of(rows))
}

/// Reads the breakers as `read` does, and the seal with them in one statement: of one
/// moment. `known` is the seal's version that the sidecar announced before this read.
///
/// # Errors
/// As `read`.
pub async fn read_sealed(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    keys: &SigningKeys,
    known: i64,
) -> anyhow::Result<OpenBreakers> {
    let guard = &schemas.guard;
    let sql = format!(
        "SELECT s.version,s.seal,b.point,b.scope,b.scope_key,b.reason,b.version FROM {guard}.breaker_seal s \
         LEFT JOIN {guard}.breaker b FORCE INDEX (by_state_alone) ON b.state<>'closed' WHERE s.name='breakers'"
    );
    type Column = Option<String>;
    type SealedRow = (i64, String, Column, Column, Column, Column, Option<i64>);
    let rows: Vec<SealedRow> = conn.query(sql).await?;
    // Version 0 is the row before its first seal.
    let sealed = rows.first().filter(|row| row.0 > 0);
    let Some((version, seal)) = sealed.map(|row| (row.0, row.1.clone())) else {
        // No sidecar has led here yet: nothing can be open either.
        let open = read(conn, schemas).await?;
        let whole = known == 0 && open.is_empty();
        return Ok(open.if_sealed(whole));
    };
    let (mut open, mut covered) = (Vec::new(), Vec::with_capacity(rows.len()));
    for row in rows {
        let (_, _, Some(point), Some(scope), Some(scope_key), reason, row_version) = row else {
            continue;
        };
        let reason = reason.unwrap_or_default();
        open.push((point.clone(), scope.clone(), scope_key.clone(), reason));
        covered.push(SealedBreaker {
            point,
            scope,
            key: scope_key,
            version: row_version.unwrap_or_default(),
        });
    }
    let whole = version >= known && is_sealed(keys, version, &covered, &seal);
    Ok(OpenBreakers::of(open).if_sealed(whole))
}

impl OpenBreakers {
    /// Reads rows: point, scope, key, reason.
    fn of(rows: Vec<(String, String, String, String)>) -> Self {
        let mut all = OpenBreakers::default();
        for (point, scope, key, reason) in rows {
            let name = format!("{point}/{scope}/{key}");
            match BreakerKey::from_row(&point, &scope, key) {
                Ok(breaker) => all.open.push((breaker, reason)),
                Err(error) => {
                    let reason = format!("{name} stands in the table: {error:#}");
                    let points = match point.parse() {
                        Ok(point) => vec![point],
                        Err(_) => BreakerPoint::ALL.to_vec(),
                    };
                    let stops = |point| (BreakerKey::all(point), reason.clone());
                    all.open.extend(points.into_iter().map(stops));
                    all.unknown.push(name);
                }
            }
        }
        all
    }

    /// Names the rows that this version does not know: one case each, not one an order.
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }

    /// The breaker that stops this order on this channel, with its reason; one that
    /// stops it everywhere is named first.
    pub fn stops(&self, order: &Order, channel: &str) -> Option<(&BreakerKey, &str)> {
        self.stops_anywhere(order)
            .or_else(|| self.stops_channel(order.kind.point(), channel))
    }

    /// The breaker that stops this order whatever its channel.
    pub fn stops_anywhere(&self, order: &Order) -> Option<(&BreakerKey, &str)> {
        let (point, currency) = (order.kind.point(), order.currency.code());
        self.find(|b| b.covers(point, &order.account_id, None, currency))
    }

    /// The breaker of this very channel: another channel may still take the order.
    pub fn stops_channel(&self, point: BreakerPoint, channel: &str) -> Option<(&BreakerKey, &str)> {
        self.find(|b| b.scope.is_channel_bound() && b.covers(point, "", Some(channel), ""))
    }

    /// Stops everybody unless the breakers are as the sidecar left them.
    fn if_sealed(mut self, whole: bool) -> Self {
        METRICS.breakers_unsealed.set((!whole).into());
        if !whole {
            tracing::error!("{UNSEALED}; nothing is sent until then");
            let all = BreakerPoint::ALL.map(|point| (BreakerKey::all(point), UNSEALED.to_owned()));
            self.open.splice(0..0, all);
        }
        self
    }

    fn find(&self, covers: impl Fn(&BreakerKey) -> bool) -> Option<(&BreakerKey, &str)> {
        self.open
            .iter()
            .find(|(b, _)| covers(b))
            .map(|(b, reason)| (b, reason.as_str()))
    }

    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::sample;
    use sluice_contract::order::OrderKind;

    fn row(point: &str, scope: &str, key: &str) -> (String, String, String, String) {
        (point.into(), scope.into(), key.into(), "why".into())
    }

    #[test]
    fn a_row_of_a_newer_version_stops_what_it_may_mean_and_no_more() {
        let (cash_out, refund) = (sample(OrderKind::CashOut), sample(OrderKind::Refund));
        // A new scope: everything at its point.
        let open = OpenBreakers::of(vec![
            row("cash_out", "galaxy", "G"),
            row("refund", "account", "B"),
        ]);
        assert!(
            open.stops(&cash_out, "psp")
                .is_some_and(|(_, why)| why.contains("cash_out/galaxy/G"))
        );
        assert!(
            open.stops(&refund, "psp").is_none(),
            "known rows mean what they meant"
        );
        assert_eq!(open.unknown(), ["cash_out/galaxy/G"]);
        // A new point: everywhere.
        let open = OpenBreakers::of(vec![row("loan", "account", "A")]);
        assert!(open.stops(&cash_out, "psp").is_some() && open.stops(&refund, "psp").is_some());
    }
}
