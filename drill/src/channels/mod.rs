//! Channel simulators behave like the real ones, the unpleasant parts included,
//! and that keep a book of what they really paid: the evidence against which
//! "paid at most once" is judged.
//!
//! NetsUnion-like: the result comes in the reply; what is in process is told by
//! notification. UnionPay-like: the reply only accepts, the result comes by
//! callback, and a success may be returned later (seed 002 §4.1, §4.3). The psp is a
//! payout API in today's style, whose results come by webhook. All promise
//! idempotency for one serial number on one trade date only (§3.2): the same number
//! on another date is paid again.

mod book;
mod callbacks;
mod config;
mod http;
mod kinds;
mod plan;
mod script;
mod secrets;
mod server;
#[cfg(test)]
mod tests;
mod trade_flow;

pub use crate::channels::book::{BookSummary, BookedPayment};
pub use crate::channels::config::{SimulatedChannelConfig, SimulatorConfig};
pub use crate::channels::kinds::SimulatorKind;
pub use crate::channels::script::bend::{BentMessage, EchoedField, FieldBend};
pub use crate::channels::script::rates::ActionRates;
pub use crate::channels::script::{ActionScript, ScriptedAction};
pub use crate::channels::secrets::SimulatorSecrets;
pub use crate::channels::server::SimulatorServer;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Runs all simulators on `listener` until `shutdown`. Secrets come from the
/// environment or `secrets_dir`.
pub async fn serve(
    config: SimulatorConfig,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    SimulatorServer::load(config)?
        .serve(listener, shutdown)
        .await
}
