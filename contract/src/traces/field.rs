//! Fields of spans, all that there are. Accounts, payees, amounts and secrets are none of
//! them: a collector is often outside of the platform's walls.

/// Field of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceField {
    /// The route's pattern, never the path: paths hold accounts.
    Route,
    Status,
    Order,
    Channel,
    /// Call of a channel, or what was reported about an order.
    Call,
    Answer,
    State,
    /// Type of an event.
    Event,
    Rule,
    Mode,
    Outcome,
}

impl TraceField {
    pub(super) fn name(self) -> &'static str {
        match self {
            TraceField::Route => "http.route",
            TraceField::Status => "http.response.status_code",
            TraceField::Order => "sluice.order",
            TraceField::Channel => "sluice.channel",
            TraceField::Call => "sluice.call",
            TraceField::Answer => "sluice.answer",
            TraceField::State => "sluice.state",
            TraceField::Event => "sluice.event",
            TraceField::Rule => "sluice.rule",
            TraceField::Mode => "sluice.mode",
            TraceField::Outcome => "sluice.outcome",
        }
    }
}
