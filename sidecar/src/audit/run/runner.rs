//! The runner: reads chunk by chunk, judges, confirms, and has it written.

use crate::audit::AuditProgress;
use crate::audit::read::{AuditReader, AuditReading};
use crate::audit::run::confirm::confirm;
use crate::audit::run::give_way::StreamPatience;
use crate::audit::run::job::{AuditJob, AuditResult};
use crate::audit::run::named_accounts::NamedAccounts;
use crate::audit::run::pace::ChunkPacer;
use crate::audit::writer::AuditWriter;
use crate::leader::transaction::LeaderError;
use crate::rules::runtime::finding::RuleError;
use crate::rules::stream::audit_run::{AUDIT_POSITION, suspect_accounts};
use crate::rules::text::audit_facts::{fact_account, fact_name};
use crate::rules::{GuardBreach, GuardRowRule};
use crate::stream::change::AuditSubject;
use anyhow::Context;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// One reading. A single account may have years of entries.
const READ_TIMEOUT: Duration = Duration::from_secs(300);

/// A run under way.
pub(super) struct AuditRunner<'a> {
    pub(super) job: &'a AuditJob<'a>,
    pub(super) writer: AuditWriter,
    pub(super) split_books: bool,
    pub(super) pace: ChunkPacer,
    pub(super) named: NamedAccounts,
    pub(super) patience: StreamPatience,
    pub(super) checked: AuditResult,
}

impl AuditRunner<'_> {
    /// Checks everything of one kind, chunk by chunk. A chunk is judged while the server reads
    /// the next one.
    pub(super) async fn all(
        &mut self,
        reader: &mut AuditReader,
        of: AuditSubject,
    ) -> Result<(), LeaderError> {
        self.pace.begin();
        let mut after = String::new();
        let mut judged = None;
        loop {
            let begun = Instant::now();
            let read =
                tokio::time::timeout(READ_TIMEOUT, reader.chunk(of, &after, self.pace.size()))
                    .await;
            let reading = read.context("a reading took more than 300 s")??;
            let took = begun.elapsed();
            if reading.overflow && self.pace.smaller() {
                continue;
            }
            let row = &mut self.checked.row;
            row.rows += i64::try_from(reading.rows).unwrap_or(0);
            if of == AuditSubject::Books {
                row.accounts += i64::try_from(reading.accounts).unwrap_or(0);
            }
            let (rows, to) = (reading.rows, reading.to.clone());
            if let Some(earlier) = judged.replace(self.judge(reading)) {
                self.confirm_suspects(reader, of, earlier).await?;
            }
            self.report_progress(of, to.as_deref().unwrap_or_default());
            let pause = self.pace.done(rows, took);
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            self.patience.wait_for_chunk(self.job.context).await;
            match to {
                Some(to) => after = to,
                None => break,
            }
        }
        match judged {
            Some(last) => self.confirm_suspects(reader, of, last).await,
            None => Ok(()),
        }
    }

    /// Says that the mark of signed rows is not as a sidecar left it: whoever took it away may
    /// look away from anything. It stands until a run finds it whole.
    pub(super) async fn tell_mark(&mut self, fault: &str) -> Result<(), LeaderError> {
        let breach = GuardBreach::of_mark(fault);
        tracing::error!("{}", breach.what);
        let finding = GuardRowRule::load()?.finding(&AUDIT_POSITION.into(), &breach);
        let said = [(finding, self.checked.row.position.clone())];
        let (seen, new) = self.writer.record_findings(&said).await?;
        self.checked.seen.extend(seen);
        self.checked.row.verdicts += i64::try_from(new).unwrap_or(0);
        Ok(())
    }

    /// Judges off the runtime's threads: others wait for those.
    fn judge(&self, reading: AuditReading) -> JoinHandle<BTreeSet<String>> {
        let rules = Arc::clone(&self.job.rules);
        tokio::task::spawn_blocking(move || {
            let mut found = suspect_accounts(&rules, &reading.facts);
            // More than one account may bring: read again, and said to be undecided.
            if let Some(last) = reading.facts.last().filter(|_| reading.overflow) {
                found.insert(fact_account(last).to_owned());
            }
            found
        })
    }

    /// Reads suspects again, and says what is still wrong.
    async fn confirm_suspects(
        &mut self,
        reader: &mut AuditReader,
        of: AuditSubject,
        judged: JoinHandle<BTreeSet<String>>,
    ) -> Result<(), LeaderError> {
        let found = judged.await.context("judging panicked")?;
        if found.is_empty() {
            return Ok(());
        }
        self.job
            .context
            .health
            .metrics
            .audit
            .suspects
            .inc_by(found.len() as u64);
        self.checked.row.suspects += i64::try_from(found.len()).unwrap_or(0);
        let confirmed = confirm(reader, &self.job.rules, of, self.split_books, found).await?;
        self.count(&confirmed.errors);
        let said = self.named.bound(confirmed.findings);
        if !said.is_empty() {
            let (seen, new) = self.writer.record_findings(&said).await?;
            self.checked.seen.extend(seen);
            self.checked.row.verdicts += i64::try_from(new).unwrap_or(0);
        }
        Ok(())
    }

    fn count(&self, errors: &[RuleError]) {
        for error in errors {
            self.job
                .context
                .health
                .metrics
                .rule_errors
                .with_label_values(&[&error.rule])
                .inc();
        }
        if let Some(error) = errors.first() {
            tracing::error!(
                rule = error.rule,
                message = error.message,
                "a rule failed on data at rest"
            );
        }
    }

    fn report_progress(&self, of: AuditSubject, account: &str) {
        let row = &self.checked.row;
        let count = |n: i64| u64::try_from(n).unwrap_or(0);
        let progress = AuditProgress {
            run_id: row.run_id.clone(),
            reason: self.job.reason.as_str(),
            started_us: row.started_us,
            of: fact_name(of),
            account: account.to_owned(),
            accounts: count(row.accounts),
            rows: count(row.rows),
            suspects: count(row.suspects),
        };
        self.job
            .context
            .handle
            .update(|note| note.running = Some(progress));
    }
}
