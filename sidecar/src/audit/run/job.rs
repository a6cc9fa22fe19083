//! One run over everything at rest, from its first reading to its last commit.

use crate::audit::AuditReason;
use crate::audit::audit_context::AuditContext;
use crate::audit::read::{AuditReader, EntryKeys};
use crate::audit::run::entry_keys;
use crate::audit::run::give_way::StreamPatience;
use crate::audit::run::named_accounts::NamedAccounts;
use crate::audit::run::pace::ChunkPacer;
use crate::audit::run::runner::AuditRunner;
use crate::audit::run::servers::servers;
use crate::audit::runs_repo::AuditRun;
use crate::audit::writer::{AuditWriter, GapClosing};
use crate::leader::transaction::LeaderError;
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::stream::audit_run::watched_facts;
use crate::stream::change::AuditSubject;
use crate::stream::gtid::Flavour;
use sha2::{Digest, Sha256};
use sluice_contract::clock::now_us;
use std::collections::HashSet;
use std::sync::Arc;

/// One run: its reason, and the rules that judge.
pub struct AuditJob<'a> {
    pub context: &'a AuditContext,
    pub epoch: i64,
    pub flavour: Flavour,
    /// The same from its beginning to its end.
    pub rules: Arc<RuleSet>,
    pub reason: AuditReason,
    /// Of this run for the stream, after it began.
    pub patience: StreamPatience,
}

/// Result of a run before its last commit.
pub struct AuditResult {
    pub row: AuditRun,
    pub(super) seen: HashSet<String>,
    /// Rules that named everybody and saw no more.
    pub(super) partial: Vec<String>,
}

impl AuditJob<'_> {
    pub fn writer(&self) -> AuditWriter {
        AuditWriter {
            rules: Arc::clone(&self.rules),
            rules_changed: Arc::clone(&self.context.rules.changed),
            split_books: self.context.split_books,
            budget_stop_us: self.context.budget_stop_us,
            pool: self.context.db.hosts.pool(),
            schemas: self.context.db.schemas.clone(),
            owner: self.context.db.owner.to_string(),
            epoch: self.epoch,
            metrics: self.context.health.metrics,
            status: self.context.health.status.clone(),
            seal: self.context.db.seal.clone(),
        }
    }

    /// Reads, judges, confirms and says; whoever calls `finish` makes it complete.
    pub async fn check(&self) -> Result<AuditResult, LeaderError> {
        let servers = servers(self.context, self.flavour)?;
        let mut reader = servers.reader().await?;
        let started_us = now_us();
        let run_id = hex::encode(
            &Sha256::digest(format!(
                "{}/{}/{started_us}",
                self.context.db.owner, self.epoch
            ))[..16],
        );
        let position = reader.position().await?;
        let row = AuditRun {
            run_id,
            reason: self.reason.as_str().to_owned(),
            position,
            started_us,
            ..AuditRun::default()
        };
        let mut all = watched_facts(&self.rules);
        let left_out = self.leave_out_entries(&mut reader, &mut all).await?;
        let mut run = AuditRunner {
            job: self,
            writer: self.writer(),
            split_books: servers.has_split_books(),
            pace: ChunkPacer::new(self.context.settings.max_rows_per_second),
            named: NamedAccounts::default(),
            patience: self.patience,
            checked: AuditResult {
                row,
                seen: HashSet::new(),
                partial: Vec::new(),
            },
        };
        if let Some(fault) = reader.mark_fault {
            run.tell_mark(fault).await?;
        }
        for of in &all {
            run.all(&mut reader, *of).await?;
        }
        let AuditRunner {
            named, mut checked, ..
        } = run;
        checked.partial = named.partial();
        checked.partial.extend(left_out);
        checked.row.open_findings = i64::try_from(checked.seen.len()).unwrap_or(i64::MAX);
        checked.row.completed_us = now_us();
        Ok(checked)
    }

    /// Leaves entries out as long as their seals' column is not there; the rules that look at
    /// them see nothing then.
    async fn leave_out_entries(
        &self,
        reader: &mut AuditReader,
        all: &mut Vec<AuditSubject>,
    ) -> anyhow::Result<Vec<String>> {
        if !all.contains(&AuditSubject::Entries) {
            return Ok(Vec::new());
        }
        let keys = entry_keys::report(self.context, reader).await?;
        if keys != EntryKeys::NoSeals {
            return Ok(Vec::new());
        }
        anyhow::ensure!(
            reader.entries_from_us().is_none(),
            "ledger.entry has no column mac, and each entry must be sealed: who took it away?"
        );
        all.retain(|of| *of != AuditSubject::Entries);
        let at_rest = self.rules.plan.at_rest.iter();
        let of_entries = at_rest.filter(|(of, _)| *of == AuditSubject::Entries);
        let rules = of_entries.filter_map(|(_, rule)| self.rules.rules.get(*rule));
        Ok(rules.map(|rule| rule.header.id.clone()).collect())
    }

    /// The run's last commit.
    pub async fn finish(
        &self,
        checked: AuditResult,
        closing: Option<&GapClosing>,
    ) -> Result<AuditRun, LeaderError> {
        let AuditResult { row, seen, partial } = checked;
        let gone = self
            .writer()
            .complete(&row, &partial, &seen, closing)
            .await?;
        tracing::info!(
            run = row.run_id,
            reason = row.reason,
            accounts = row.accounts,
            rows = row.rows,
            suspects = row.suspects,
            standing = row.open_findings,
            new = row.verdicts,
            gone,
            ms = (row.completed_us - row.started_us) / 1_000,
            "data at rest was checked"
        );
        Ok(row)
    }
}
