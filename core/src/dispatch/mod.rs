//! Dispatch: from accepted to sent, in a pipeline of two loops, so that a token's round
//! trip never idles the claims.
//!
//! | phase | file | what it costs |
//! |---|---|---|
//! | gather ready orders, raise a fence token | `token_rounds` | one commit a round |
//! | wait until the sidecar has passed it | `guard::fence` | a line of its stream |
//! | claim: lock, decide, write | `claim_rounds`, `claim/` | one transaction a round |
//! | send, report the answer | `send` | a call of the channel an order |
//! | park orders of held accounts | `held_orders` | nothing until the fence frees them |
//! | find what nobody remembers | `poll` | one read an interval |

mod claim;
mod claim_rounds;
mod held_orders;
mod poll;
mod send;
mod token_rounds;

pub mod blocking_reason;
pub mod isolate;

pub use crate::dispatch::isolate::IsolationQueue;

use crate::channels::ChannelClient;
use crate::config;
use crate::dispatch::held_orders::HeldOrders;
use crate::guard::fence::FenceClient;
use crate::orders::{OrderRef, OrderSeals};
use crate::outcome::OutcomeRecorder;
use crate::ready_queue::ReadyQueue;
use crate::routing::ActiveRouting;
use sluice_contract::provenance::TransactionSigner;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{Conn, Pool};
use sluice_contract::supervisor::Supervisor;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Token rounds under way at once: enough to hide a round trip of several commits.
const MAX_ROUNDS_IN_FLIGHT: usize = 8;
const RETRY_DELAY: Duration = Duration::from_millis(200);
/// A loop that takes longer for one turn hangs: each of its calls has a shorter deadline.
const MAX_SILENCE: Duration = Duration::from_secs(60);

/// Everything that dispatch needs; channels in order of preference.
pub struct Dispatcher {
    pub config: config::DispatchConfig,
    pub pool: Pool,
    pub schemas: Schemas,
    pub key: TransactionSigner,
    /// Checks that what is sent is what was asked.
    pub seals: OrderSeals,
    /// Whether the ledger lies with the orders.
    pub together: bool,
    pub fence: FenceClient,
    pub routing: ActiveRouting,
    pub channels: Arc<[ChannelClient]>,
    pub outcomes: OutcomeRecorder,
    pub ready: ReadyQueue,
    pub suspects: IsolationQueue,
    /// Zone of the platform's day, by which limits count.
    pub day_zone: String,
    /// Set of its loops and of the calls under way.
    pub parts: Supervisor,
}

impl Dispatcher {
    /// Starts the loops; each may run twice without harm, since the claim alone decides.
    /// After the stop nothing is claimed, and what is claimed is still sent.
    pub fn start(self) {
        let this = Arc::new(self);
        let held = Arc::new(HeldOrders::default());
        let (parts, stop) = (this.parts.clone(), this.parts.stop_token());
        let (rounds, passed) = mpsc::channel(MAX_ROUNDS_IN_FLIGHT);
        parts.spawn_loop("token-rounds", this.clone().gather(rounds));
        parts.spawn(
            "claim",
            claim_rounds::run(this.clone(), held.clone(), passed, stop),
        );
        let raising = this.fence.clone().keep_raising(this.pool.clone());
        parts.spawn_loop("fence-tokens", raising);
        parts.spawn_loop("held-orders", this.clone().wake_held(held.clone()));
        parts.spawn_loop("order-poll", this.poll());
    }

    /// Claims these orders on `conn`, as after their token has passed, and sends
    /// nothing; returns how many are ours to send. For measuring.
    ///
    /// # Errors
    /// The database's, after some tries.
    pub async fn claim(
        &self,
        conn: &mut Option<Conn>,
        orders: &[OrderRef],
    ) -> anyhow::Result<usize> {
        match claim::claim(self.claim_context(), conn, orders, &HashSet::new()).await {
            Ok(round) => Ok(round.claimed.len()),
            Err(failure) => Err(failure.error),
        }
    }
}
