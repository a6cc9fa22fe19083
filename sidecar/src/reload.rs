//! The rule set in force, loaded again when it changes, and the folder's edits, taken
//! over by whoever holds the lease. All or nothing: a folder with one wrong file
//! changes nothing, and a set that can't be loaded leaves the last one in use.

use crate::context::SidecarContext;
use crate::health::blind::BlindCause;
use crate::leader::repo as lease_repo;
use crate::leader::repo::LEASE_TTL_US;
use crate::rules::runtime::rule_set::RuleSet;
use crate::verdicts::cut;
use crate::workflow::folder_import::{RuleFolder, first, import};
use crate::workflow::repo::{self, PublishReason};
use crate::workflow::{RuleSetMember, RuleSetVersion};
use anyhow::Context;
use mysql_async::{Conn, TxOpts};
use notify::{RecursiveMode, Watcher};
use sluice_contract::clock::now_us;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, watch};

/// Tables of the balance and ledger services.
pub const BOOK_TABLES: [&str; 3] = ["balance", "capture", "entry"];
/// Editors write a file in several steps.
const DEBOUNCE_DELAY: Duration = Duration::from_millis(100);
/// Set and folder are looked at even if nobody told: another sidecar may have changed
/// the one, and some file systems tell nothing of the other.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// A database that does not answer within this is asked again.
const ROUND_TIMEOUT: Duration = Duration::from_secs(5);
/// Subfolders that are looked into.
const MAX_FOLDER_DEPTH: usize = 4;

type FolderFingerprint = Vec<(PathBuf, u64, Option<SystemTime>)>;

pub struct RuleReloader {
    parts: Arc<SidecarContext>,
    rules: watch::Sender<Option<Arc<RuleSet>>>,
    /// The version in use; 0 before the first.
    loaded: i64,
    /// The folder when it was last taken over or refused, and in which epoch.
    taken: Option<(i64, FolderFingerprint)>,
    /// Rules whose files this process has seen.
    had: BTreeSet<String>,
    /// Why the last look failed: said once.
    failed: Option<String>,
}

impl RuleReloader {
    pub fn new(parts: Arc<SidecarContext>, rules: watch::Sender<Option<Arc<RuleSet>>>) -> Self {
        RuleReloader {
            parts,
            rules,
            loaded: 0,
            taken: None,
            had: BTreeSet::new(),
            failed: None,
        }
    }

    /// Loads now and at every change, for ever.
    pub async fn run(mut self) {
        // One waiting nudge stands for any number of changes.
        let (nudge, mut nudged) = mpsc::channel(1);
        let told = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Our own reading is no change.
            if !event.is_ok_and(|e| e.kind.is_access()) {
                // Full: a nudge waits already.
                let _ = nudge.try_send(());
            }
        });
        let mut watcher = told
            .inspect_err(
                |error| tracing::warn!(%error, "changes of rule files are found by polling only"),
            )
            .ok();
        let mut watched = false;
        loop {
            if !watched && let Some(watcher) = &mut watcher {
                watched = watcher
                    .watch(&self.parts.config.rules_dir, RecursiveMode::Recursive)
                    .is_ok();
            }
            let round = tokio::time::timeout(ROUND_TIMEOUT, self.round()).await;
            match round.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer within 5 s"))) {
                Ok(()) => self.failed = None,
                Err(error) => self.unread(&error),
            }
            tokio::select! {
                Some(()) = nudged.recv() => tokio::time::sleep(DEBOUNCE_DELAY).await,
                () = self.parts.rules_changed.notified() => {}
                () = tokio::time::sleep(POLL_INTERVAL) => {}
            }
        }
    }

    async fn round(&mut self) -> anyhow::Result<()> {
        let mut conn = self.parts.pool.get_conn().await?;
        let version = repo::active(&mut conn, &self.parts.schemas).await?;
        self.load(&mut conn, version).await?;
        if self.edits(&mut conn, version).await? {
            let version = repo::active(&mut conn, &self.parts.schemas).await?;
            self.load(&mut conn, version).await?;
        }
        Ok(())
    }

    /// Takes the set of this version into use.
    async fn load(&mut self, conn: &mut Conn, version: i64) -> anyhow::Result<()> {
        if version == self.loaded || version == 0 {
            return Ok(());
        }
        let set = repo::read(conn, &self.parts.schemas, version).await?;
        let set =
            Arc::new(set.with_context(|| format!("set {version} is in force, but has no rules"))?);
        let (of, key) = (Arc::clone(&set), self.parts.secrets.provenance_key.clone());
        let mut rules = tokio::task::spawn_blocking(move || of.compile(key)).await?.map_err(|errors| {
            anyhow::anyhow!("set {version} can't be used by this release: {errors}; take one back that can be")
        })?;
        let mysql = &self.parts.config.mysql;
        let unread: Vec<&str> = BOOK_TABLES
            .into_iter()
            .filter(|t| mysql.server_of(t).is_none())
            .collect();
        let mut asleep = rules.without(&unread);
        asleep.extend(rules.split_servers(|table| mysql.server_of(table)));
        if !asleep.is_empty() {
            tracing::warn!(
                ?asleep,
                "balance and ledger are apart: these rules can't see what they compare, and sleep"
            );
        }
        self.show(&set, &rules);
        self.rules.send_replace(Some(Arc::new(rules)));
        self.loaded = version;
        self.parts.blind.clear(BlindCause::Rules);
        Ok(())
    }

    fn show(&self, set: &RuleSetVersion, rules: &RuleSet) {
        let count = rules.rules().count();
        tracing::info!(
            rules = count,
            hash = rules.hash(),
            version = set.version,
            "rules loaded"
        );
        let metrics = self.parts.metrics;
        let demoted = set.members.iter().filter(|m| m.demoted).count();
        metrics
            .rules_loaded
            .set(i64::try_from(count).unwrap_or(i64::MAX));
        metrics
            .workflow
            .demoted
            .set(i64::try_from(demoted).unwrap_or(i64::MAX));
        metrics.workflow.version.set(set.version);
        metrics.workflow.info.reset();
        metrics
            .workflow
            .info
            .with_label_values(&[rules.hash()])
            .set(1);
        self.parts.status.update(|s| s.rules_version = set.version);
    }

    /// Takes over what changed in the folder; whether that made a new set. Without any
    /// set whoever comes first makes it; after that, the holder of the lease.
    async fn edits(&mut self, conn: &mut Conn, version: i64) -> anyhow::Result<bool> {
        let note = self.parts.status.read();
        if version > 0 && note.role != "active" {
            return Ok(false);
        }
        let dir = self.parts.config.rules_dir.clone();
        let now = (note.epoch, fingerprint(&dir));
        if self.taken.as_ref() == Some(&now) {
            return Ok(false);
        }
        let key = self.parts.secrets.provenance_key.clone();
        let read = tokio::task::spawn_blocking(move || RuleFolder::read(&dir, key));
        let folder = match read.await? {
            Ok((folder, _)) => folder,
            Err(errors) => {
                self.refused(&errors.to_string());
                self.taken = Some(now);
                return Ok(false);
            }
        };
        let changed = self.take(conn, &folder, version, note.epoch).await?;
        self.had = folder.texts.into_keys().collect();
        self.taken = Some(now);
        self.parts.status.update(|s| s.rules_refused = None);
        Ok(changed)
    }

    async fn take(
        &self,
        conn: &mut Conn,
        folder: &RuleFolder,
        version: i64,
        epoch: i64,
    ) -> anyhow::Result<bool> {
        let schemas = &self.parts.schemas;
        let now = now_us();
        let last = repo::folder(conn, schemas).await?;
        let active = match version {
            0 => RuleSetVersion::default(),
            _ => repo::read(conn, schemas, version)
                .await?
                .with_context(|| format!("set {version} has no rules"))?,
        };
        let mut done = import(&active, folder, &last, &self.had, now);
        if version == 0 {
            (done.set, done.reason) = (
                Some(first(folder, now)),
                "the first set: modes as the headers say".to_owned(),
            );
        }
        for rule in &done.orphans {
            tracing::warn!(
                rule,
                "its file is gone, but it is armed and stays: take it out by `sluice rules retire`"
            );
        }
        if done.set.is_none() && done.gone.is_empty() && folder.hashes() == last {
            return Ok(false);
        }
        if let Some(set) = &done.set {
            set.compile(self.parts.secrets.provenance_key.clone())?;
        }
        repo::prepare(conn, schemas).await?;
        let mut tx = conn.start_transaction(TxOpts::default()).await?;
        let owner = &self.parts.config.instance;
        if version > 0
            && !lease_repo::renew(&mut tx, schemas, owner, epoch, now + LEASE_TTL_US).await?
        {
            tx.rollback().await?;
            anyhow::bail!("the lease is lost: its new holder takes over the folder's edits");
        }
        let reason = cut(&done.reason, repo::MAX_REASON_CHARS);
        let why = PublishReason {
            by: "folder",
            reason: &reason,
            content_of: None,
            at_us: now,
        };
        if let Some(set) = &done.set
            && !repo::publish(&mut tx, schemas, set, &why).await?
        {
            tx.rollback().await?;
            anyhow::bail!("another set was put in force meanwhile; the folder is looked at again");
        }
        repo::remember_folder(&mut tx, schemas, &folder.hashes(), &done.gone, now).await?;
        tx.commit().await?;
        if let Some(set) = &done.set {
            let modes = |m: &RuleSetMember| {
                format!(
                    "{}{}: {}",
                    m.rule,
                    if m.candidate { "*" } else { "" },
                    m.mode.as_str()
                )
            };
            let changed = set
                .members
                .iter()
                .filter(|m| m.since_us == now)
                .map(modes)
                .collect::<Vec<_>>();
            tracing::info!(
                version = set.version,
                reason,
                ?changed,
                "edits of the folder taken over"
            );
        }
        Ok(done.set.is_some())
    }

    fn refused(&self, why: &str) {
        let dir = self.parts.config.rules_dir.display();
        self.parts.metrics.reload_failures.inc();
        for line in why.lines().filter(|line| !line.trim().is_empty()) {
            tracing::error!(%dir, error = line, "rules refused");
        }
        self.parts
            .status
            .update(|s| s.rules_refused = Some(why.to_owned()));
        if self.loaded == 0 {
            self.parts.blind.set(
                BlindCause::Rules,
                format!("no rule set could be loaded from {dir}: {why}"),
            );
        }
    }

    /// The set in force can't be read or used; the one in use stays.
    fn unread(&mut self, error: &anyhow::Error) {
        let why = format!("the rule set can't be read, still trying: {error:#}");
        if self.loaded == 0 {
            self.parts.blind.set(BlindCause::Rules, why.as_str());
        } else if self.failed.as_ref() != Some(&why) {
            tracing::error!("{why}");
        }
        self.failed = Some(why);
    }
}

/// Names, sizes and times of all files.
fn fingerprint(dir: &Path) -> FolderFingerprint {
    let mut found = Vec::new();
    collect(dir, MAX_FOLDER_DEPTH, &mut found);
    found.sort();
    found
}

fn collect(dir: &Path, depth: usize, found: &mut FolderFingerprint) {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let Ok(meta) = std::fs::metadata(entry.path()) else {
            continue;
        };
        if meta.is_file() {
            found.push((entry.path(), meta.len(), meta.modified().ok()));
        } else if depth > 0 {
            collect(&entry.path(), depth - 1, found);
        }
    }
}
