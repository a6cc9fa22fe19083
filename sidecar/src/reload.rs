//! Rule files, loaded again when they change. All or nothing: a set with one wrong
//! file is refused as a whole and the last good one stays.

use crate::blind::{Blind, Cause};
use crate::config::Mysql;
use crate::metrics::Metrics;
use crate::rules::RuleSet;
use notify::{RecursiveMode, Watcher};
use sluice_contract::settings::Secret;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, watch};

/// Tables of the balance and ledger services.
pub const BOOKS: [&str; 3] = ["balance", "capture", "entry"];
/// Editors write a file in several steps.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// Looked at even if nobody told: some file systems tell nothing.
const POLL: Duration = Duration::from_secs(2);
/// Subfolders that are looked into.
const DEPTH: usize = 4;

pub struct Reloader {
    pub dir: PathBuf,
    pub provenance_key: Secret,
    /// Which server's binlog has which tables.
    pub mysql: Mysql,
    pub blind: Blind,
    pub metrics: &'static Metrics,
    pub rules: watch::Sender<Option<Arc<RuleSet>>>,
}

impl Reloader {
    /// Loads now and at every change, for ever.
    pub async fn run(self) {
        // One waiting nudge stands for any number of changes.
        let (nudge, mut nudged) = mpsc::channel(1);
        let told = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Our own reading is no change.
            if !event.is_ok_and(|e| e.kind.is_access()) {
                // Full: a nudge waits already.
                let _ = nudge.try_send(());
            }
        });
        let mut watcher =
            told.inspect_err(|error| tracing::warn!(%error, "changes of rule files are found by polling only")).ok();
        let mut watched = false;
        let mut last = None;
        loop {
            if !watched && let Some(watcher) = &mut watcher {
                watched = watcher.watch(&self.dir, RecursiveMode::Recursive).is_ok();
            }
            let now = fingerprint(&self.dir);
            if last.as_ref() != Some(&now) {
                last = Some(now);
                self.load().await;
            }
            tokio::select! {
                Some(()) = nudged.recv() => tokio::time::sleep(DEBOUNCE).await,
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    async fn load(&self) {
        let (dir, key) = (self.dir.clone(), self.provenance_key.clone());
        let loaded = tokio::task::spawn_blocking(move || RuleSet::load(&dir, key)).await;
        match loaded {
            Ok(Ok(mut rules)) => {
                let unread: Vec<&str> = BOOKS.into_iter().filter(|t| self.mysql.server_of(t).is_none()).collect();
                let mut asleep = rules.without(&unread);
                asleep.extend(rules.apart(|table| self.mysql.server_of(table)));
                if !asleep.is_empty() {
                    tracing::warn!(
                        ?asleep,
                        "balance and ledger are apart: these rules can't see what they compare, and sleep"
                    );
                }
                let count = rules.rules().count();
                tracing::info!(rules = count, hash = rules.hash(), "rules loaded");
                self.metrics.rules_loaded.set(i64::try_from(count).unwrap_or(i64::MAX));
                self.rules.send_replace(Some(Arc::new(rules)));
                self.blind.clear(Cause::Rules);
            }
            Ok(Err(errors)) => self.refused(&errors.to_string()),
            Err(panic) => self.refused(&panic.to_string()),
        }
    }

    fn refused(&self, why: &str) {
        self.metrics.reload_failures.inc();
        for line in why.lines().filter(|line| !line.trim().is_empty()) {
            tracing::error!(dir = %self.dir.display(), error = line, "rules refused");
        }
        if self.rules.borrow().is_none() {
            self.blind.set(Cause::Rules, format!("no rule set could be loaded from {}: {why}", self.dir.display()));
        }
    }
}

/// Names, sizes and times of all files.
fn fingerprint(dir: &Path) -> Vec<(PathBuf, u64, Option<SystemTime>)> {
    let mut found = Vec::new();
    collect(dir, DEPTH, &mut found);
    found.sort();
    found
}

fn collect(dir: &Path, depth: usize, found: &mut Vec<(PathBuf, u64, Option<SystemTime>)>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let Ok(meta) = std::fs::metadata(entry.path()) else { continue };
        if meta.is_file() {
            found.push((entry.path(), meta.len(), meta.modified().ok()));
        } else if depth > 0 {
            collect(&entry.path(), depth - 1, found);
        }
    }
}
