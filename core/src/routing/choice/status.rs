//! Status of a channel at the moment of the choice.

use crate::config::ChannelDecimals;
use crate::routing::conditions::local_of;
use jiff::civil::DateTime;
use std::sync::Arc;

/// A configured channel as it is now.
#[derive(Debug, Clone)]
pub struct ChannelStatus {
    pub channel: String,
    /// Trade time that an order would get, in the channel's zone.
    pub trade_time: String,
    /// The same moment in the zone of the platform, by which limits count.
    pub platform_time: String,
    /// The open breaker of this very channel, and why it is open.
    pub breaker: Option<(String, String)>,
    /// Currencies that it may be sent, and their decimals there.
    pub decimals: Arc<ChannelDecimals>,
    pub(super) local: DateTime,
}

impl ChannelStatus {
    /// Makes the status; the breaker is told by its name and reason.
    ///
    /// # Errors
    /// A trade time that can't be read.
    pub fn new(
        channel: &str,
        trade_time: &str,
        platform_time: &str,
        breaker: Option<(String, String)>,
        decimals: Arc<ChannelDecimals>,
    ) -> anyhow::Result<Self> {
        let local = local_of(trade_time)?;
        Ok(ChannelStatus {
            channel: channel.to_owned(),
            trade_time: trade_time.to_owned(),
            platform_time: platform_time.to_owned(),
            breaker,
            decimals,
            local,
        })
    }
}
