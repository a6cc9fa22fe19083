//! Edits of the rules folder: read, merged with the set in force, published.

use crate::health::blind::BlindCause;
use crate::reload::RuleReloader;
use crate::reload::fingerprint::fingerprint;
use crate::verdicts::cut;
use crate::workflow::folder_import::{
    FolderImport, RuleFolder, first, import, repo as folder_repo,
};
use crate::workflow::publish_repo::{self, PublishReason};
use crate::workflow::repo;
use crate::workflow::{RuleSetMember, RuleSetVersion};
use anyhow::Context;
use mysql_async::{Conn, TxOpts};
use sluice_contract::clock::now_us;

impl RuleReloader {
    /// Takes over what changed in the folder; whether that made a new set. Without any
    /// set whoever comes first makes it; after that, the holder of the lease.
    pub(super) async fn edits(&mut self, conn: &mut Conn, version: i64) -> anyhow::Result<bool> {
        let note = self.context.health.status.read();
        if version > 0 && note.role != "active" {
            return Ok(false);
        }
        let dir = self.context.rules_dir.clone();
        let now = (note.epoch, fingerprint(&dir));
        if self.taken.as_ref() == Some(&now) {
            return Ok(false);
        }
        let key = self.context.transaction_keys.clone();
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
        self.context
            .health
            .status
            .update(|s| s.rules_refused = None);
        Ok(changed)
    }

    /// Takes the folder over; whether that made a new set.
    async fn take(
        &self,
        conn: &mut Conn,
        folder: &RuleFolder,
        version: i64,
        epoch: i64,
    ) -> anyhow::Result<bool> {
        let schemas = &self.context.db.schemas;
        let now = now_us();
        let last = folder_repo::folder(conn, schemas).await?;
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
            set.compile(self.context.transaction_keys.clone())?;
        }
        publish_repo::prepare(conn, schemas, self.context.db.seal.rows()).await?;
        let leads_in = (version > 0).then_some(epoch);
        self.commit(conn, folder, &done, leads_in, now).await?;
        if let Some(set) = &done.set {
            log_taken_over(set, &done.reason, now);
        }
        Ok(done.set.is_some())
    }

    /// Commits set and folder in one transaction, under the lease if this instance leads.
    async fn commit(
        &self,
        conn: &mut Conn,
        folder: &RuleFolder,
        done: &FolderImport,
        leads_in: Option<i64>,
        now_us: i64,
    ) -> anyhow::Result<()> {
        let schemas = &self.context.db.schemas;
        let mut tx = conn.start_transaction(TxOpts::default()).await?;
        if let Some(epoch) = leads_in
            && !self.context.db.renew_lease(&mut tx, epoch).await?
        {
            tx.rollback().await?;
            anyhow::bail!("the lease is lost: its new holder takes over the folder's edits");
        }
        let reason = cut(&done.reason, repo::MAX_REASON_CHARS);
        let why = PublishReason {
            by: "folder",
            reason: &reason,
            content_of: None,
            at_us: now_us,
        };
        if let Some(set) = &done.set
            && !publish_repo::publish(&mut tx, schemas, self.context.db.seal.rows(), set, &why)
                .await?
        {
            tx.rollback().await?;
            anyhow::bail!("another set was put in force meanwhile; the folder is looked at again");
        }
        folder_repo::remember_folder(&mut tx, schemas, &folder.hashes(), &done.gone, now_us)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The folder is wrong and changes nothing, until it is edited again.
    fn refused(&self, why: &str) {
        let dir = self.context.rules_dir.display();
        self.context.health.metrics.reload_failures.inc();
        for line in why.lines().filter(|line| !line.trim().is_empty()) {
            tracing::error!(%dir, error = line, "rules refused");
        }
        self.context
            .health
            .status
            .update(|s| s.rules_refused = Some(why.to_owned()));
        if self.loaded == 0 {
            self.context.health.blind.set(
                BlindCause::Rules,
                format!("no rule set could be loaded from {dir}: {why}"),
            );
        }
    }
}

fn log_taken_over(set: &RuleSetVersion, reason: &str, now_us: i64) {
    let mode = |m: &RuleSetMember| {
        let candidate = if m.candidate { "*" } else { "" };
        format!("{}{candidate}: {}", m.rule, m.mode.as_str())
    };
    let fresh = set.members.iter().filter(|m| m.since_us == now_us);
    let changed = fresh.map(mode).collect::<Vec<_>>();
    tracing::info!(
        version = set.version,
        reason = cut(reason, repo::MAX_REASON_CHARS),
        ?changed,
        "edits of the folder taken over"
    );
}
