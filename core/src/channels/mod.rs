//! Payment channels behind one trait. Messages and the meaning of words are each
//! `ChannelAdapter`'s own; connections, bounds, deadlines and retries are the
//! `client`'s and the same for all. `docs/ADD-A-CHANNEL.md` walks through adding one.

mod adapter;
mod answer;
pub mod client;
mod exchange;
mod json;
mod known;
mod netsunion;
pub mod permits;
mod psp;
mod psp_signature;
mod psp_wire;
mod send_by;
mod unionpay;

#[cfg(test)]
mod tests;

pub use adapter::{
    ChannelAdapter, ChannelCall, ChannelMessage, ChannelNotification, NotificationError, RawReply,
    SigningContext,
};
pub use answer::{ChannelAnswer, ChannelResult};
pub use client::ChannelClient;
pub use known::adapter;
pub use send_by::SendBy;

/// A settlement never leaves the platform: this stands where others have a channel.
pub const INTERNAL_CHANNEL: &str = "internal";
