//! Breakers as the claim reads them. All SQL on `breaker` of the core; nothing here
//! writes it. Which orders a breaker covers, `sluice_contract::breaker` decides.

use crate::orders::Order;
use mysql_async::prelude::Queryable;
use sluice_contract::breaker::{BreakerKey, BreakerPoint};
use sluice_contract::schema::Schemas;

/// Every breaker that isn't closed: a short list by nature.
#[derive(Debug, Default, Clone)]
pub struct OpenBreakers(Vec<(BreakerKey, String)>);

/// Reads the breakers in the claim's own transaction (promise 6). Whatever isn't closed
/// stops, a state that this build doesn't know too: two ranges of the index, which
/// pass over the closed ones.
///
/// # Errors
/// The database's, or a row whose point or scope this version does not know: nothing is
/// claimed before somebody has looked.
pub async fn read(conn: &mut impl Queryable, schemas: &Schemas) -> anyhow::Result<OpenBreakers> {
    let sql = format!(
        "SELECT point,scope,scope_key,reason FROM {}.breaker FORCE INDEX (by_state_alone) WHERE state<>'closed'",
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
