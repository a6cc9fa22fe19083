//! Adapters of the channels that this build knows.

use crate::channels::adapter::ChannelAdapter;
use crate::channels::json::JsonChannel;
use crate::channels::netsunion::NETSUNION_CODES;
use crate::channels::psp::PspChannel;
use crate::channels::unionpay::UNIONPAY_CODES;
use crate::config::ChannelId;

/// Makes the adapter of a channel.
pub fn adapter(id: ChannelId) -> Box<dyn ChannelAdapter> {
    match id {
        ChannelId::Netsunion => Box::new(JsonChannel(NETSUNION_CODES)),
        ChannelId::Unionpay => Box::new(JsonChannel(UNIONPAY_CODES)),
        ChannelId::Psp => Box::new(PspChannel),
    }
}
