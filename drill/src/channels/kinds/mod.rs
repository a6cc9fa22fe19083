//! The simulated channels, a file each behind one trait, and the list of them. Their
//! codes are read by `core/src/channels`, which shares no code with what is written here.

pub(super) mod backend;
pub mod netsunion;
pub mod psp;
mod psp_api;
pub(super) mod reply;
mod request;
mod union_json;
mod union_simulator;
pub mod unionpay;

use crate::channels::kinds::backend::SharedBackend;
use crate::channels::script::ScriptedAction;
use crate::channels::script::bend::{EchoedField, FieldBend};
use crate::channels::script::rates::ActionRates;
use axum::Router;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sluice_contract::keys::SigningKeys;
use sluice_contract::signing::{MessageScope, SignatureError};
use sluice_contract::wire::ChannelPay;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Makes the kinds from one line each: variant, id, simulator.
macro_rules! simulators {
    ($($kind:ident $id:literal $simulator:path;)+) => {
        /// A simulated channel; `id` is its word in paths, settings, books and secrets.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub enum SimulatorKind {
            $(#[serde(rename = $id)] $kind,)+
        }

        impl SimulatorKind {
            pub const COUNT: usize = [$($id),+].len();
            pub const ALL: [SimulatorKind; SimulatorKind::COUNT] = [$(SimulatorKind::$kind),+];

            pub fn id(self) -> &'static str {
                match self {
                    $(SimulatorKind::$kind => $id,)+
                }
            }

            pub(crate) fn simulator(self) -> &'static dyn ChannelSimulator {
                match self {
                    $(SimulatorKind::$kind => &$simulator,)+
                }
            }
        }
    };
}

simulators! {
    NetsUnion "netsunion" netsunion::NETSUNION;
    UnionPay "unionpay" unionpay::UNIONPAY;
    Psp "psp" psp::PspSimulator;
}

impl SimulatorKind {
    /// Refuses a script's action that this channel has no word for.
    pub(super) fn check_action(self, action: &ScriptedAction) -> anyhow::Result<()> {
        action.check(self.id(), self.simulator().returns())
    }

    /// Refuses chances above 1000 permille in all, and returns where there are none.
    pub(super) fn check_rates(self, rates: &ActionRates) -> anyhow::Result<()> {
        rates.check(self.id(), self.simulator().returns())
    }

    /// Position of this channel's state in arrays over all.
    pub(super) fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for SimulatorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl FromStr for SimulatorKind {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let known = SimulatorKind::ALL.into_iter().find(|k| k.id() == text);
        known.ok_or_else(|| {
            let ids = SimulatorKind::ALL.map(SimulatorKind::id).join(", ");
            anyhow::anyhow!("channel {text:?} is not simulated: use one of {ids}")
        })
    }
}

/// One channel's codes, manners, messages and paths. Whatever all channels share (the
/// book, scripts, callbacks) is elsewhere and asks here.
pub(crate) trait ChannelSimulator: Send + Sync {
    /// Code of a reply to a request whose result is told later.
    fn accepted(&self) -> &'static str;

    /// Code of a reply to a request that was refused for good: account invalid.
    fn refused(&self) -> &'static str;

    /// Code of a reply to a request that this channel alone refuses for good: it doesn't
    /// reach the payee's bank.
    fn declined_here(&self) -> &'static str;

    /// Code for the same serial number on the same date, of a trade that is in `now`.
    fn duplicate(&self, now: TradeStage) -> &'static str;

    /// Code for the same serial number and date with another amount or account. This
    /// request was refused; the first one may well have been paid.
    fn conflict(&self) -> &'static str;

    fn no_such_trade(&self) -> &'static str;

    /// Makes a code that is in no list, for a trade that was paid or was not.
    fn unlisted(&self, code: &str, pays: bool) -> String;

    /// Code by which a query answers, and a callback tells, the stage of a trade.
    fn result(&self, stage: TradeStage) -> &'static str;

    /// Whether the usual reply tells the result; otherwise a callback does.
    fn pays_at_once(&self) -> bool;

    /// Whether a payment is told by callback though the reply didn't promise one.
    fn calls_back_unasked(&self) -> bool;

    /// Whether a payment can come back (退票).
    fn returns(&self) -> bool;

    /// Path below the simulators' address that the core's `url` of this channel ends in.
    fn base_path(&self) -> &'static str;

    /// Name of a field in the object that tells of a payment, dots between levels.
    fn field(&self, field: EchoedField) -> &'static str;

    /// Body of a callback.
    fn notice(&self, said: &TradeMessage) -> serde_json::Result<Vec<u8>>;

    /// Headers that sign `body` in this place at `now_s`, seconds since 1970.
    fn signature(
        &self,
        keys: &SigningKeys,
        now_s: i64,
        scope: MessageScope<'_>,
        body: &[u8],
    ) -> Vec<(&'static str, String)>;

    /// The nonce that a caller's headers name; empty if there is none.
    fn nonce<'h>(&self, headers: &'h HeaderMap) -> &'h str;

    /// Checks the headers that a caller signed `body` with.
    fn verify(
        &self,
        keys: &SigningKeys,
        now_s: i64,
        headers: &HeaderMap,
        scope: MessageScope<'_>,
        body: &[u8],
    ) -> Result<(), SignatureError>;

    /// Paths of the channel's own API, from the simulators' root.
    fn routes(&self) -> Router<SharedBackend>;

    /// Chances of each misbehaviour on the demo's bad day.
    fn bad_day(&self) -> ActionRates;
}

/// The stage of a trade, as the channel knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TradeStage {
    /// Accepted; not paid yet, and it may still fail.
    InProcess,
    Paid,
    Failed,
    /// Refused for good, by this channel alone.
    NotHere,
    /// Paid, and given back later (退票).
    Returned,
}

/// One word of a channel about one trade.
#[derive(Debug, Clone)]
pub(crate) struct TradeMessage {
    pub pay: Arc<ChannelPay>,
    pub code: String,
    /// A field that is told otherwise than it is.
    pub bend: Option<FieldBend>,
}

impl TradeMessage {
    /// Bends the written message, if it shall be.
    pub fn bent(&self, channel: &dyn ChannelSimulator, mut written: Value) -> Value {
        if let Some(bend) = &self.bend {
            bend.apply(&mut written, channel.field(bend.field));
        }
        written
    }
}
