//! Adapters of the channels that this build knows.

use crate::channels::adapter::ChannelAdapter;
use crate::channels::json::JsonChannel;
use crate::channels::netsunion::NETSUNION_CODES;
use crate::channels::psp::PspChannel;
use crate::channels::unionpay::UNIONPAY_CODES;
use crate::config::{ChannelDecimals, ChannelId};
use std::sync::Arc;

/// Makes the adapter of a channel, which writes and reads amounts by `decimals`.
pub fn adapter(id: ChannelId, decimals: Arc<ChannelDecimals>) -> Box<dyn ChannelAdapter> {
    let json = |codes, decimals| Box::new(JsonChannel { codes, decimals });
    match id {
        ChannelId::Netsunion => json(NETSUNION_CODES, decimals),
        ChannelId::Unionpay => json(UNIONPAY_CODES, decimals),
        ChannelId::Psp => Box::new(PspChannel { decimals }),
    }
}
