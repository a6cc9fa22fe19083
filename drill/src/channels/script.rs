//! How a simulator misbehaves: by destination account, or by chance.

use crate::channels::kind::SimulatorKind;
use anyhow::ensure;
use rand::Rng;
use serde::{Deserialize, Serialize};

/// What happens to a new payment. Times are milliseconds. Repeats of a known
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
    pub fn check(&self, kind: SimulatorKind) -> anyhow::Result<()> {
        let returns = matches!(self, ScriptedAction::ReturnAfterSuccess { .. });
        ensure!(
            !(returns && kind == SimulatorKind::NetsUnion),
            "netsunion never returns: use unionpay or psp for return_after_success"
        );
        Ok(())
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

/// Chances in permille of new payments that no script matches. At most one
/// action per payment, so the sum is at most 1000.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ActionRates {
    pub delay: u32,
    pub timeout_after_paying: u32,
    pub timeout_without_paying: u32,
    /// Half of them pay, as with `junk_body`.
    pub unknown_code: u32,
    pub duplicate_callback: u32,
    pub late_callback: u32,
    pub no_callback: u32,
    pub callback_before_reply: u32,
    pub return_after_success: u32,
    pub fail: u32,
    pub fail_later: u32,
    pub in_process_then_notify: u32,
    pub http_500_after_paying: u32,
    pub junk_body: u32,
    /// Milliseconds that `delay`, `late_callback`, `return_after_success`,
    /// `fail_later` and `in_process_then_notify` take.
    pub ms: Option<u64>,
    /// Milliseconds that the two time-outs hold the connection.
    pub hold_ms: Option<u64>,
}

/// What `ms` and `hold_ms` are if not set; longer than the core's usual deadline.
const DEFAULT_ACTION_MS: u64 = 1_000;
const DEFAULT_HOLD_MS: u64 = 10_000;

impl ActionRates {
    pub fn check(&self, kind: SimulatorKind) -> anyhow::Result<()> {
        let sum: u64 = self
            .table(false)
            .iter()
            .map(|(permille, _)| u64::from(*permille))
            .sum();
        ensure!(
            sum <= 1000,
            "rates of {kind} sum to {sum} permille: at most 1000"
        );
        ensure!(
            kind != SimulatorKind::NetsUnion || self.return_after_success == 0,
            "rates: netsunion never returns"
        );
        Ok(())
    }

    /// The action of one payment.
    pub fn draw(&self, rng: &mut impl Rng) -> ScriptedAction {
        let mut point = rng.random_range(0..1000u32);
        for (permille, action) in self.table(rng.random()) {
            if point < permille {
                return action;
            }
            point -= permille;
        }
        ScriptedAction::Normal
    }

    fn table(&self, pays: bool) -> [(u32, ScriptedAction); 14] {
        let ms = self.ms.unwrap_or(DEFAULT_ACTION_MS);
        let hold_ms = self.hold_ms.unwrap_or(DEFAULT_HOLD_MS);
        [
            (self.delay, ScriptedAction::Delay { ms }),
            (
                self.timeout_after_paying,
                ScriptedAction::TimeoutAfterPaying { hold_ms },
            ),
            (
                self.timeout_without_paying,
                ScriptedAction::TimeoutWithoutPaying { hold_ms },
            ),
            (
                self.unknown_code,
                ScriptedAction::UnknownCode {
                    code: "7777".into(),
                    pays,
                },
            ),
            (
                self.duplicate_callback,
                ScriptedAction::DuplicateCallback { times: 3 },
            ),
            (self.late_callback, ScriptedAction::LateCallback { ms }),
            (self.no_callback, ScriptedAction::NoCallback),
            (
                self.callback_before_reply,
                ScriptedAction::CallbackBeforeReply,
            ),
            (
                self.return_after_success,
                ScriptedAction::ReturnAfterSuccess { ms },
            ),
            (self.fail, ScriptedAction::Fail),
            (self.fail_later, ScriptedAction::FailLater { ms }),
            (
                self.in_process_then_notify,
                ScriptedAction::InProcessThenNotify { ms },
            ),
            (
                self.http_500_after_paying,
                ScriptedAction::Http500AfterPaying,
            ),
            (self.junk_body, ScriptedAction::JunkBody { pays }),
        ]
    }
}

/// Scripts and rates of one channel, as they stand now.
#[derive(Debug, Default)]
pub(super) struct ChannelBehavior {
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
        self.all_zero = rates
            .table(false)
            .iter()
            .all(|(permille, _)| *permille == 0);
        self.rates = rates;
    }

    pub fn choose(&mut self, to_account: &str, rng: &mut impl Rng) -> ScriptedAction {
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
