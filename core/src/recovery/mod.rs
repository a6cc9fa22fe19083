//! Recovery brings on what stands still, in four stages (seed 002 §4.1): not sent, no answer,
//! no callback, no acknowledgement. Each is bounded; past its bound an order is a person's
//! case and nothing ends silently. docs/ORDERS.md has the whole.
//!
//! Each channel is asked apart from the others, with its own bound on queries under
//! way: a sick channel's orders wait for each other and for nobody else.

mod ask;
mod channel_queries;
mod count;
mod due_cursor;
mod lease;
mod repo;
pub mod stages;
mod sweep;

use crate::channels::ChannelClient;
use crate::config;
use crate::guard::fence::FenceClient;
use crate::orders::OrderSeals;
use crate::outcome::OutcomeRecorder;
use crate::quarantine::OrderQuarantine;
use sluice_contract::provenance::TransactionSigner;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::Pool;
use sluice_contract::supervisor::Supervisor;
use std::sync::Arc;
use std::time::Duration;

/// A loop that takes longer for one turn hangs.
const MAX_SILENCE: Duration = Duration::from_secs(120);

/// Recovery of what stands still; one per process.
pub struct OrderRecovery {
    pub config: config::RecoveryConfig,
    pub pool: Pool,
    pub schemas: Schemas,
    pub key: TransactionSigner,
    pub seals: OrderSeals,
    pub fence: FenceClient,
    pub channels: Arc<[ChannelClient]>,
    pub outcomes: OutcomeRecorder,
    pub quarantine: OrderQuarantine,
    /// Set of its loops and of the queries under way.
    pub parts: Supervisor,
}

impl OrderRecovery {
    /// Starts its loops among `parts`.
    pub fn start(self) {
        let this = Arc::new(self);
        let parts = this.parts.clone();
        parts.spawn_loop("recovery-channels", this.clone().open_channels());
        parts.spawn_loop("recovery-sweep", this.clone().sweep());
        parts.spawn_loop("recovery-count", this.count());
    }
}
