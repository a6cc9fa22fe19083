//! Paths of an order's money, and the choice among them.

use crate::channels::permits::CallPermit;
use crate::channels::{ChannelClient, INTERNAL_CHANNEL};
use crate::orders::Order;
use crate::routing::{Route, RouteDecision};

/// Through what an order's money moves.
pub(super) enum SendPath<'a> {
    Channel(&'a ChannelClient),
    /// Within the books: a settlement.
    Books,
    /// The channel it was sent through can't take it now.
    Unavailable(String),
}

/// Where an order goes, if it goes.
pub(super) enum RouteChoice<'a> {
    /// The route is `None` for what is not routed: settlements, and what is sent again.
    Via(SendPath<'a>, Option<Route>),
    NoRoute(RouteDecision),
}

impl SendPath<'_> {
    pub fn id(&self) -> &str {
        match self {
            SendPath::Channel(channel) => channel.id(),
            SendPath::Books => INTERNAL_CHANNEL,
            SendPath::Unavailable(id) => id,
        }
    }

    /// Takes a free call permit; `None` where no call is made. An error: not now. The
    /// order then waits for the channel's next free permit, or for a poll.
    pub fn permit(&self, order: &Order) -> Result<Option<CallPermit>, ()> {
        match self {
            SendPath::Channel(channel) => channel.permits.take(&order.at()).map(Some).ok_or(()),
            SendPath::Books => Ok(None),
            SendPath::Unavailable(_) => Err(()),
        }
    }
}
