//! Breakers as the claim reads them. All SQL on `breaker` of the core; nothing here
//! writes it. Which orders a breaker covers, `sluice_contract::breaker` decides.
//!
//! A breaker that somebody closed or deleted by hand is not closed: the sidecar's seal
//! covers what is open, and while it does not fit, everybody is stopped.

use crate::metrics::METRICS;
use crate::orders::Order;
use mysql_async::prelude::Queryable;
use sluice_contract::breaker::{BreakerKey, BreakerPoint, SealedBreaker, is_sealed};
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;

/// Reason of the breakers that a broken seal opens.
const UNSEALED: &str =
    "the breakers were changed by hand: look at each, then `sluice breakers seal`";

/// Every breaker that isn't closed: a short list by nature.
#[derive(Debug, Default, Clone)]
pub struct OpenBreakers(Vec<(BreakerKey, String)>);

/// Reads the breakers in the claim's own transaction (promise 6).
///
/// # Errors
/// The database's, or a row whose point or scope this version does not know: nothing is
/// claimed before somebody has looked.
pub async fn read(conn: &mut impl Queryable, schemas: &Schemas) -> anyhow::Result<OpenBreakers> {
    let sql = format!(
        "SELECT point,scope,scope_key,reason FROM {}.breaker WHERE state<>'closed'",
        schemas.guard
    );
    let rows: Vec<(String, String, String, String)> = conn.query(sql).await?;
    let parse = |(point, scope, key, reason): (String, String, String, String)| {
        anyhow::Ok((BreakerKey::from_row(&point, &scope, key)?, reason))
    };
    Ok(OpenBreakers(
        rows.into_iter().map(parse).collect::<Result<_, _>>()?,
    ))
}

/// Reads the breakers as `read` does, and the seal with them in one statement: of one
/// moment. `known` is the seal's version that the sidecar announced before this read.
///
/// # Errors
/// As `read`.
pub async fn read_sealed(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    key: &Secret,
    known: i64,
) -> anyhow::Result<OpenBreakers> {
    let guard = &schemas.guard;
    let sql = format!(
        "SELECT s.version,s.seal,b.point,b.scope,b.scope_key,b.reason,b.version FROM {guard}.breaker_seal s \
         LEFT JOIN {guard}.breaker b ON b.state<>'closed' WHERE s.name='breakers'"
    );
    type Column = Option<String>;
    type SealedRow = (i64, String, Column, Column, Column, Column, Option<i64>);
    let rows: Vec<SealedRow> = conn.query(sql).await?;
    let Some((version, seal)) = rows.first().map(|row| (row.0, row.1.clone())) else {
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
        let parsed = BreakerKey::from_row(&point, &scope, scope_key.clone())?;
        open.push((parsed, reason.unwrap_or_default()));
        covered.push(SealedBreaker {
            point,
            scope,
            key: scope_key,
            version: row_version.unwrap_or_default(),
        });
    }
    let whole = version >= known && is_sealed(key, version, &covered, &seal);
    Ok(OpenBreakers(open).if_sealed(whole))
}

impl OpenBreakers {
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
            self.0.splice(0..0, all);
        }
        self
    }

    fn find(&self, covers: impl Fn(&BreakerKey) -> bool) -> Option<(&BreakerKey, &str)> {
        self.0
            .iter()
            .find(|(b, _)| covers(b))
            .map(|(b, reason)| (b, reason.as_str()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
