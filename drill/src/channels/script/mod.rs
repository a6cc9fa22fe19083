//! Scripts of misbehaviour: by destination account, or by chance.

pub mod rates;

use crate::channels::script::rates::ActionRates;
use anyhow::ensure;
use rand::Rng;
use serde::{Deserialize, Serialize};

/// An action decides what happens to a new payment. Times are milliseconds. Repeats of a known
/// payment are always answered as duplicates, whatever the action.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ScriptedAction {
    #[default]
    Normal,
    /// Pays as usual, answers late.
    Delay {
        ms: u64,
    },
    /// Pays, then holds the connection without an answer.
    TimeoutAfterPaying {
        hold_ms: u64,
    },
    /// Holds the connection, and never knows the trade.
    TimeoutWithoutPaying {
        hold_ms: u64,
    },
    /// Answers a code that is in no list. `pays` false: the trade stays unknown.
    UnknownCode {
        code: String,
        pays: bool,
    },
    /// Tells the result `times` times.
    DuplicateCallback {
        times: u32,
    },
    /// Settles as usual, tells the result only `ms` later.
    LateCallback {
        ms: u64,
    },
    /// Settles, and never tells: only a query finds out.
    NoCallback,
    /// The result's callback arrives before the reply to the request.
    CallbackBeforeReply,
    /// Succeeds, and gives the money back `ms` later. Not NetsUnion.
    ReturnAfterSuccess {
        ms: u64,
    },
    /// Refused for good in the reply.
    Fail,
    /// Accepted, and refused for good `ms` later by callback.
    FailLater {
        ms: u64,
    },
    /// Refused in the reply, for a reason of this channel alone.
    NotHere,
    /// Refused in the reply, and not remembered: whichever request under this serial
    /// number arrives next, an older one included, is a new payment. `not_here`: refused
    /// for a reason of this channel alone.
    RefuseAndForget {
        not_here: bool,
    },
    /// Holds the connection without an answer, and gets the request only `ms` after it was
    /// sent: it is paid then, unless the channel knows its serial number by that time.
    DeliverLate {
        ms: u64,
        hold_ms: u64,
    },
    /// Accepted, and refused so `ms` later, told twice.
    NotHereLater {
        ms: u64,
    },
    /// "In process" at first, paid and told `ms` later.
    InProcessThenNotify {
        ms: u64,
    },
    Http500AfterPaying,
    /// Answers something that isn't the agreed JSON.
    JunkBody {
        pays: bool,
    },
    /// A lie: pays, and tells of twice the amount in its reply and first callback. A
    /// query tells the truth.
    WrongAmount,
    /// A lie: says that it refused for good, though it has paid, and tells of the
    /// payment `ms` later.
    FailThoughPaid {
        ms: u64,
    },
    /// A lie: says that it refused for a reason of its own, though it has paid, and
    /// tells of the payment `ms` later.
    NotHereThoughPaid {
        ms: u64,
    },
    /// A lie: tells that it paid, and `ms` later that it failed. It has paid.
    FailAfterSuccess {
        ms: u64,
    },
}

impl ScriptedAction {
    /// Refuses a return on a channel that has no word for one; `id` is for the message.
    pub(in crate::channels) fn check(&self, id: &str, returns_exist: bool) -> anyhow::Result<()> {
        let returns = matches!(self, ScriptedAction::ReturnAfterSuccess { .. });
        ensure!(
            !returns || returns_exist,
            "{id} never returns: use another channel for return_after_success"
        );
        Ok(())
    }

    /// The same, not remembered by the channel if it is a refusal in the reply.
    fn forgotten(self) -> Self {
        match self {
            ScriptedAction::Fail => ScriptedAction::RefuseAndForget { not_here: false },
            ScriptedAction::NotHere => ScriptedAction::RefuseAndForget { not_here: true },
            other => other,
        }
    }
}

/// An action for certain destination accounts. The first script that matches wins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionScript {
    /// Prefix of `toAccount`; with a leading `*`, its suffix.
    #[serde(rename = "match")]
    pub pattern: String,
    pub action: ScriptedAction,
    /// Only this many requests in all are treated so; the rest go on as usual.
    #[serde(default)]
    pub times: Option<u64>,
}

impl ActionScript {
    pub fn new(pattern: &str, action: ScriptedAction) -> Self {
        ActionScript {
            pattern: pattern.into(),
            action,
            times: None,
        }
    }

    fn matches(&self, to_account: &str) -> bool {
        match self.pattern.strip_prefix('*') {
            Some(suffix) => to_account.ends_with(suffix),
            None => to_account.starts_with(&self.pattern),
        }
    }
}

/// Scripts and rates of one channel, as they stand now.
#[derive(Debug, Default)]
pub(in crate::channels) struct ChannelBehavior {
    pub scripts: Vec<ActionScript>,
    pub rates: ActionRates,
    all_zero: bool,
}

impl ChannelBehavior {
    pub fn new(scripts: Vec<ActionScript>, rates: ActionRates) -> Self {
        let mut behavior = ChannelBehavior {
            scripts,
            ..ChannelBehavior::default()
        };
        behavior.set_rates(rates);
        behavior
    }

    pub fn set_rates(&mut self, rates: ActionRates) {
        self.all_zero = rates.are_zero();
        self.rates = rates;
    }

    pub fn choose(&mut self, to_account: &str, rng: &mut impl Rng) -> ScriptedAction {
        let action = self.scripted_or_drawn(to_account, rng);
        if self.rates.forgets(rng) {
            action.forgotten()
        } else {
            action
        }
    }

    fn scripted_or_drawn(&mut self, to_account: &str, rng: &mut impl Rng) -> ScriptedAction {
        let live = |s: &&mut ActionScript| s.times != Some(0) && s.matches(to_account);
        if let Some(script) = self.scripts.iter_mut().find(live) {
            script.times = script.times.map(|n| n - 1);
            return script.action.clone();
        }
        if self.all_zero {
            ScriptedAction::Normal
        } else {
            self.rates.draw(rng)
        }
    }
}
