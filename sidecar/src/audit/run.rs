//! One run over everything at rest.

use crate::audit::audit_context::AuditContext;
use crate::audit::commit::{AuditError, AuditWriter, GapClosing};
use crate::audit::confirm::confirm;
use crate::audit::pace::ChunkPacer;
use crate::audit::read::{AuditReader, AuditReading, AuditServers};
use crate::audit::repo::AuditRun;
use crate::audit::{AuditProgress, AuditReason};
use crate::rules::runtime::finding::{Finding, FindingOutcome, RuleError};
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::stream::audit_run::{suspect_accounts, watched_facts};
use crate::rules::text::audit_facts::{fact_account, fact_name};
use crate::stream::change::AuditSubject;
use crate::stream::gtid::Flavour;
use anyhow::Context;
use sha2::{Digest, Sha256};
use sluice_contract::breaker::{BreakerKey, BreakerScope};
use sluice_contract::clock::now_us;
use sluice_contract::sql::{options_of, pool_of};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Connections to a server of its own: one reads, one is spare.
const MAX_CONNECTIONS: usize = 2;
/// Accounts that one rule names in a run. What is beyond is everybody: ten thousand
/// wrong balances are not a matter of single accounts any more.
const MAX_NAMED_ACCOUNTS: usize = 10_000;
/// One reading. A single account may have years of entries.
const READ_TIMEOUT: Duration = Duration::from_secs(300);

/// What a run needs.
pub struct AuditJob<'a> {
    pub context: &'a AuditContext,
    pub epoch: i64,
    pub flavour: Flavour,
    /// The same from its beginning to its end.
    pub rules: Arc<RuleSet>,
    pub reason: AuditReason,
}

/// What a run came to, before its last commit.
pub struct AuditResult {
    pub row: AuditRun,
    seen: HashSet<String>,
    /// Rules that named everybody and saw no more.
    partial: Vec<String>,
}

/// Where the schemas are; an error if the books are apart and nobody said where.
pub fn servers(context: &AuditContext, flavour: Flavour) -> anyhow::Result<AuditServers> {
    let settings = &context.settings;
    // One that is read as a server of its own is known by that.
    let also = |schema: &str| {
        context
            .servers
            .iter()
            .skip(1)
            .find(|server| server.schemas.contains(&schema))
    };
    let of = |key: &str, schema: &str, url: &str| match (url, also(schema)) {
        ("", Some(server)) => Ok(Some(server.hosts.pool())),
        ("", None) if context.split_books => {
            anyhow::bail!(
                "{key} is not set: with mysql.split_books, data at rest can't be checked without it"
            )
        }
        ("", None) => Ok(None),
        (url, _) => Ok(Some(pool_of(options_of(key, url)?, MAX_CONNECTIONS)?)),
    };
    Ok(AuditServers {
        schemas: context.db.schemas.clone(),
        flavour,
        orders: context.db.hosts.pool(),
        balance: of("audit.balance_url", "balance", &settings.balance_url)?,
        ledger: of("audit.ledger_url", "ledger", &settings.ledger_url)?,
    })
}

impl AuditJob<'_> {
    pub fn book(&self) -> AuditWriter {
        AuditWriter {
            rules: Arc::clone(&self.rules),
            rules_changed: Arc::clone(&self.context.rules.changed),
            split_books: self.context.split_books,
            pool: self.context.db.hosts.pool(),
            schemas: self.context.db.schemas.clone(),
            owner: self.context.db.owner.to_string(),
            epoch: self.epoch,
            metrics: self.context.health.metrics,
            status: self.context.health.status.clone(),
        }
    }

    /// Reads, judges, confirms and says; whoever calls `finish` makes it complete.
    pub async fn check(&self) -> Result<AuditResult, AuditError> {
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
        let all = watched_facts(&self.rules);
        let mut run = AuditRunner {
            job: self,
            book: self.book(),
            split_books: servers.has_split_books(),
            pace: ChunkPacer::new(self.context.settings.max_rows_per_second),
            named: HashMap::new(),
            checked: AuditResult {
                row,
                seen: HashSet::new(),
                partial: Vec::new(),
            },
        };
        for of in &all {
            run.all(&mut reader, *of).await?;
        }
        let AuditRunner {
            named, mut checked, ..
        } = run;
        checked.partial = named
            .into_iter()
            .filter(|(_, n)| *n >= MAX_NAMED_ACCOUNTS)
            .map(|(rule, _)| rule)
            .collect();
        checked.row.open_findings = i64::try_from(checked.seen.len()).unwrap_or(i64::MAX);
        checked.row.completed_us = now_us();
        Ok(checked)
    }

    /// The run's last commit.
    pub async fn finish(
        &self,
        checked: AuditResult,
        closing: Option<&GapClosing>,
    ) -> Result<AuditRun, AuditError> {
        let AuditResult { row, seen, partial } = checked;
        let gone = self.book().complete(&row, &partial, &seen, closing).await?;
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

struct AuditRunner<'a> {
    job: &'a AuditJob<'a>,
    book: AuditWriter,
    split_books: bool,
    pace: ChunkPacer,
    /// Accounts that each rule named.
    named: HashMap<String, usize>,
    checked: AuditResult,
}

impl AuditRunner<'_> {
    /// Everything of one kind, chunk by chunk. A chunk is judged while the server reads
    /// the next one.
    async fn all(&mut self, reader: &mut AuditReader, of: AuditSubject) -> Result<(), AuditError> {
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

    /// Off the runtime's threads: others wait for those.
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
    ) -> Result<(), AuditError> {
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
        let said = self.bounded(confirmed.findings);
        if !said.is_empty() {
            let (seen, new) = self.book.record_findings(&said).await?;
            self.checked.seen.extend(seen);
            self.checked.row.verdicts += i64::try_from(new).unwrap_or(0);
        }
        Ok(())
    }

    /// Past the bound a rule names everybody, once.
    fn bounded(&mut self, found: Vec<(Finding, String)>) -> Vec<(Finding, String)> {
        let mut kept = Vec::with_capacity(found.len());
        for (finding, position) in found {
            let named = self.named.entry(finding.rule.id.clone()).or_default();
            *named += 1;
            if *named < MAX_NAMED_ACCOUNTS {
                kept.push((finding, position));
            } else if *named == MAX_NAMED_ACCOUNTS {
                kept.push((everybody(finding), position));
            }
        }
        kept
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

/// So much is wrong that nobody is known to be right.
fn everybody(finding: Finding) -> Finding {
    let all = |b: &BreakerKey| BreakerKey {
        point: b.point,
        scope: BreakerScope::All,
        key: "*".to_owned(),
    };
    let item = format!("more than {MAX_NAMED_ACCOUNTS} accounts");
    let id = Sha256::digest(format!("{}/{item}", finding.rule.id));
    Finding {
        verdict_id: hex::encode(&id[..16]),
        outcome: FindingOutcome::Violation,
        message: format!("{item} are wrong; the last one: {}", finding.message),
        breakers: finding.breakers.iter().map(all).collect(),
        account: String::new(),
        item,
        ..finding
    }
}
