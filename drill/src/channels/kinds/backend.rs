//! The part of a simulator that a channel's own API calls: trades are taken and looked up
//! there, whatever the API looks like.

use crate::channels::kinds::{SimulatorKind, TradeMessage};
use futures_util::future::BoxFuture;
use sluice_contract::keys::SigningKeys;
use sluice_contract::wire::ChannelPay;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The answer that a caller gets to see.
pub(crate) enum SimulatedReply {
    Reply(TradeMessage),
    /// The same again: nothing happened.
    Again(TradeMessage),
    Hold(Duration),
    Http500,
    Junk,
}

/// Takes payments and knows trades, for the handlers of all channels.
pub(crate) trait TradeBackend: Send + Sync {
    /// Takes a payment request. What follows from it goes on even if the caller hangs up
    /// at once. The error is a book that can't be written.
    fn pay(
        &self,
        kind: SimulatorKind,
        pay: ChannelPay,
    ) -> BoxFuture<'_, anyhow::Result<SimulatedReply>>;

    /// A trade as it is now, by serial number and a trade time of the same date.
    fn query(&self, kind: SimulatorKind, serial_no: &str, trade_time: &str)
    -> Option<TradeMessage>;

    /// Keys that sign and verify on this channel at the moment.
    fn keys(&self, kind: SimulatorKind) -> Arc<SigningKeys>;

    /// Cancelled when the simulators stop.
    fn stop(&self) -> &CancellationToken;
}

/// The backend as handlers share it.
pub(crate) type SharedBackend = Arc<dyn TradeBackend>;
