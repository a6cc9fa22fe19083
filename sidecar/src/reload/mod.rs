//! The reloader: loads the rule set in force again when it changes, and takes over the
//! folder's edits while this instance leads. All or nothing: a folder with one wrong file
//! changes nothing, and a set that can't be loaded leaves the last one in use.

mod active_set;
mod fingerprint;
mod folder_edits;

use crate::binlog::settings::MysqlSourceSettings;
use crate::health::Health;
use crate::health::blind::BlindCause;
use crate::leader::guard_db::GuardDb;
use crate::reload::fingerprint::FolderFingerprint;
use crate::rules::runtime::rule_set::RuleSet;
use crate::workflow::repo;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use sluice_contract::provenance::TransactionVerifier;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Tables of the balance and ledger services.
pub const BOOK_TABLES: [&str; 3] = ["balance", "capture", "entry"];
/// Editors write a file in several steps.
const DEBOUNCE_DELAY: Duration = Duration::from_millis(100);
/// Pause between two looks, even if nobody notified: another sidecar may have changed
/// the one, and some file systems tell nothing of the other.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// A database that does not answer within this is asked again.
const ROUND_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for a round to end after the stop.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// Handles that the reloader works with.
pub struct ReloadContext {
    pub db: GuardDb,
    pub health: Health,
    pub rules_dir: PathBuf,
    /// Says which tables are read, and on which server.
    pub mysql: MysqlSourceSettings,
    pub transaction_keys: TransactionVerifier,
    /// `state.memory_mb`, in bytes.
    pub memory_bytes: usize,
    /// Notified when this process put another set in force.
    pub changed: Arc<Notify>,
    pub stop: CancellationToken,
}

/// Loader of the rule set in use, and importer of the folder's edits.
pub struct RuleReloader {
    context: ReloadContext,
    rules: watch::Sender<Option<Arc<RuleSet>>>,
    /// The version in use; 0 before the first.
    loaded: i64,
    /// The folder when it was last taken over or refused, and in which epoch.
    taken: Option<(i64, FolderFingerprint)>,
    /// Rules whose files this process has seen.
    had: BTreeSet<String>,
    /// Cause of the last failed look: logged once.
    failed: Option<String>,
}

impl RuleReloader {
    pub fn new(context: ReloadContext, rules: watch::Sender<Option<Arc<RuleSet>>>) -> Self {
        RuleReloader {
            context,
            rules,
            loaded: 0,
            taken: None,
            had: BTreeSet::new(),
            failed: None,
        }
    }

    /// Loads now and at every change, until stopped. A round under way has a moment to
    /// end; what it has not committed then is rolled back.
    pub async fn run(mut self) {
        // One waiting nudge stands for any number of changes.
        let (nudge, mut nudged) = mpsc::channel(1);
        let mut watcher = folder_watcher(nudge);
        let mut watched = false;
        let stop = self.context.stop.clone();
        while !stop.is_cancelled() {
            if !watched && let Some(watcher) = &mut watcher {
                watched = watcher
                    .watch(&self.context.rules_dir, RecursiveMode::Recursive)
                    .is_ok();
            }
            let round = tokio::select! {
                biased;
                round = tokio::time::timeout(ROUND_TIMEOUT, self.round()) => round,
                () = stopped_for(&stop, STOP_GRACE) => return,
            };
            match round.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer within 5 s"))) {
                Ok(()) => self.failed = None,
                Err(error) => self.unread(&error),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                Some(()) = nudged.recv() => tokio::time::sleep(DEBOUNCE_DELAY).await,
                () = self.context.changed.notified() => {}
                () = tokio::time::sleep(POLL_INTERVAL) => {}
            }
        }
    }

    async fn round(&mut self) -> anyhow::Result<()> {
        let mut conn = self.context.db.conn().await?;
        let db = &self.context.db;
        db.seal.rows().refresh(&mut conn, &db.schemas).await?;
        let version = repo::active(&mut conn, &db.schemas).await?;
        self.load(&mut conn, version).await?;
        if self.edits(&mut conn, version).await? {
            let version = repo::active(&mut conn, &self.context.db.schemas).await?;
            self.load(&mut conn, version).await?;
        }
        Ok(())
    }

    /// The set in force can't be read or used; the one in use stays.
    fn unread(&mut self, error: &anyhow::Error) {
        let why = format!("the rule set can't be read, still trying: {error:#}");
        if self.loaded == 0 {
            self.context
                .health
                .blind
                .set(BlindCause::Rules, why.as_str());
        } else if self.failed.as_ref() != Some(&why) {
            tracing::error!("{why}");
        }
        self.failed = Some(why);
    }
}

async fn stopped_for(stop: &CancellationToken, grace: Duration) {
    stop.cancelled().await;
    tokio::time::sleep(grace).await;
}

/// Watches the folder; without it polling goes on.
fn folder_watcher(nudge: mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Our own reading is no change.
        if !event.is_ok_and(|e| e.kind.is_access()) {
            // Full: a nudge waits already.
            let _ = nudge.try_send(());
        }
    });
    watcher
        .inspect_err(
            |error| tracing::warn!(%error, "changes of rule files are found by polling only"),
        )
        .ok()
}
