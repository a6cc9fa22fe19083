//! Changes that come back by themselves: a wide breaker that a critical rule past its budget
//! opened for a while, and a rule that one person disarmed in an emergency. Each is a row
//! that is written with the change; the leader takes it back once its time is over, unless
//! somebody has changed the same thing since, or found more.

mod emergency;
pub mod repo;
mod undo;

pub use emergency::{armed_again, before_emergencies};

use crate::active_rules::ActiveRuleSet;
use crate::health::Health;
use crate::leader::guard_db::GuardDb;
use sluice_contract::clock::now_us;
use sluice_contract::string_enum;
use std::time::Duration;

/// Author of the move that opens a breaker for a while.
pub const BY_BUDGET: &str = "budget";
/// Pause between two looks.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

string_enum! {
    /// A kind of thing that was changed for a while.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum TimedKind("a timed change") {
        Breaker = "breaker",
        Mode = "mode",
    }
}

/// A change with its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimedChange {
    pub kind: TimedKind,
    /// The breaker's name, or the rule.
    pub subject: String,
    /// The breaker's version; or the mode to come back to and the hash of the rule's text.
    pub version: String,
    pub until_us: i64,
    pub made_by: String,
    pub reason: String,
}

/// The part of a leadership that takes timed changes back.
pub struct TimedChanges {
    pub db: GuardDb,
    pub health: Health,
    pub rules: ActiveRuleSet,
    pub epoch: i64,
}

impl TimedChanges {
    /// Goes on until it is dropped, which may happen anywhere: each is one transaction.
    pub async fn keep(self) {
        loop {
            if let Err(error) = self.look().await {
                tracing::warn!("timed changes are taken back later: {error:#}");
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Takes back what is due. What can't be taken back is told and stays due (the lease is
    /// lost, the breakers are not as a sidecar left them, the row names nothing): the others
    /// don't wait for it.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn look(&self) -> anyhow::Result<()> {
        let mut conn = self.db.conn().await?;
        let all = repo::list(&mut conn, &self.db.schemas).await?;
        drop(conn);
        let now = now_us();
        let running = |kind| {
            let of = all
                .iter()
                .filter(|one| one.kind == kind && one.until_us > now);
            i64::try_from(of.count()).unwrap_or(i64::MAX)
        };
        let metrics = &self.health.metrics.workflow;
        metrics.emergency_demotions.set(running(TimedKind::Mode));
        metrics.budget_stops.set(running(TimedKind::Breaker));
        for due in all.iter().filter(|one| one.until_us <= now) {
            if let Err(error) = self.undo(due).await {
                let subject = &due.subject;
                tracing::warn!(subject, "a timed change is taken back later: {error:#}");
            }
        }
        Ok(())
    }
}
