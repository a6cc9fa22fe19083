//! Rows that breakers meet: claims of orders, and resets by a person.

use crate::stream::change::{ChangeOp, ColumnValue, RowChange};
use rust_decimal::Decimal;
use sluice_contract::breaker::{BreakerKey, BreakerPoint, BreakerState, covering_keys};
use sluice_contract::order::{OrderKind, OrderState};

/// Newest time of one kind of rows, and the newest one when the stream began to be read
/// again: rows up to there were seen before.
#[derive(Debug, Default)]
pub(super) struct ReplayedRows {
    newest_us: i64,
    again_until_us: i64,
}

impl ReplayedRows {
    pub(super) fn begin_again(&mut self) {
        self.again_until_us = self.newest_us;
    }

    /// Whether a row of this time was there before.
    pub(super) fn is_known(&mut self, at_us: i64) -> bool {
        self.newest_us = self.newest_us.max(at_us);
        at_us <= self.again_until_us
    }
}

/// An order that was sent, so that an open breaker would have held it.
pub(super) struct ClaimRow<'a> {
    pub order: &'a str,
    point: BreakerPoint,
    account: &'a str,
    channel: Option<&'a str>,
    pub currency: &'a str,
    /// Major units.
    pub amount: Decimal,
}

impl<'a> ClaimRow<'a> {
    /// Reads a change of `orders`; `None` if it claims nothing.
    pub(super) fn read(change: &'a RowChange) -> Option<ClaimRow<'a>> {
        let claimed = change.op == ChangeOp::Update
            && text(change, false, "state") == Some(OrderState::Init.as_str())
            && text(change, true, "state") == Some(OrderState::Dispatching.as_str());
        if !claimed {
            return None;
        }
        let kind = text(change, true, "kind")?.parse::<OrderKind>().ok()?;
        Some(ClaimRow {
            order: text(change, true, "order_id")?,
            point: kind.point(),
            account: text(change, true, "account_id").unwrap_or_default(),
            channel: text(change, true, "channel"),
            currency: text(change, true, "currency").unwrap_or_default(),
            amount: match value(change, true, "amount") {
                Some(ColumnValue::Dec(amount)) => *amount,
                _ => Decimal::ZERO,
            },
        })
    }

    /// Breakers that would have held it.
    pub(super) fn covering_keys(&self) -> impl Iterator<Item = BreakerKey> + 'a {
        covering_keys(self.point, self.account, self.channel, self.currency)
    }
}

/// Reads a change of `breaker`; `None` unless it closes one.
pub(super) fn closed_breaker(change: &RowChange) -> Option<BreakerKey> {
    let text = |column: &str| text(change, true, column);
    if text("state") != Some(BreakerState::Closed.as_str()) {
        return None;
    }
    let (point, scope) = (text("point")?, text("scope")?);
    BreakerKey::from_row(point, scope, text("scope_key")?.to_owned()).ok()
}

/// Time of the row in microseconds, if it says one.
pub(super) fn updated_us(change: &RowChange) -> Option<i64> {
    match value(change, true, "updated_us") {
        Some(ColumnValue::Int(at_us)) => Some(*at_us),
        _ => None,
    }
}

fn value<'a>(change: &'a RowChange, after: bool, column: &str) -> Option<&'a ColumnValue> {
    let image = if after { &change.after } else { &change.before };
    image.as_ref()?.get(change.table.column(column)?)
}

fn text<'a>(change: &'a RowChange, after: bool, column: &str) -> Option<&'a str> {
    match value(change, after, column)? {
        ColumnValue::Text(text) => Some(text),
        _ => None,
    }
}
