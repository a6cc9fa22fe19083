//! Schedule of audits: keeps the runs coming while the lease is ours, when one is due
//! and when asked.

use crate::audit::audit_context::AuditContext;
use crate::audit::run::entry_keys;
use crate::audit::run::give_way::StreamPatience;
use crate::audit::run::job::AuditJob;
use crate::audit::run::servers::servers;
use crate::audit::runs_repo::{self, AuditRun};
use crate::audit::{AuditProgress, AuditReason};
use crate::leader::transaction::LeaderError;
use crate::stream::gtid::Flavour;
use sluice_contract::clock::now_us;
use sluice_contract::telemetry::seconds;
use std::time::Duration;

/// After a run that could not be completed; twice as long after each that follows, up to the
/// longest: each begins with everything again.
const RETRY_DELAY: Duration = Duration::from_secs(10);
const MAX_RETRY_DELAY: Duration = Duration::from_secs(600);
/// A schedule of 0: never by itself.
const NO_SCHEDULE: Duration = Duration::from_secs(u32::MAX as u64);

/// Runs until another sidecar holds the lease.
pub async fn keep(context: AuditContext, epoch: i64, flavour: Flavour) {
    let period = Duration::from_secs(u64::from(context.settings.interval_minutes) * 60);
    context
        .health
        .metrics
        .audit
        .period_seconds
        .set(i64::from(context.settings.interval_minutes) * 60);
    let _report = entry_keys::ReportOfLeadership(&context);
    look_ahead(&context, flavour).await;
    let mut wait = first_wait(&context, period).await;
    let mut failures = 0;
    loop {
        let reason = tokio::select! {
            () = context.handle.asked() => AuditReason::Demand,
            () = tokio::time::sleep(wait) => AuditReason::Schedule,
        };
        let mut patience = StreamPatience::of(reason, period);
        patience.wait_to_begin(&context).await;
        let Some(rules) = context.rules.current() else {
            wait = RETRY_DELAY;
            continue;
        };
        let job = AuditJob {
            context: &context,
            epoch,
            flavour,
            rules,
            reason,
            patience,
        };
        let done = once(&job).await;
        failures = if done.is_err() { failures + 1 } else { 0 };
        wait = match done {
            Ok(()) if period.is_zero() => NO_SCHEDULE,
            Ok(()) => period,
            Err(LeaderError::LeaseLost) => return,
            Err(LeaderError::Failed(_)) => retry_delay(failures),
        };
    }
}

/// Pause after so many failures in a row.
fn retry_delay(failures: u32) -> Duration {
    let doubled = 2u32.saturating_pow(failures.saturating_sub(1));
    RETRY_DELAY.saturating_mul(doubled).min(MAX_RETRY_DELAY)
}

/// Looks, long before a run is due, whether one would accuse everybody for want of a key.
async fn look_ahead(context: &AuditContext, flavour: Flavour) {
    let looked = async {
        let mut reader = servers(context, flavour)?.reader().await?;
        entry_keys::report(context, &mut reader).await
    };
    if let Err(error) = looked.await {
        tracing::warn!("seals of ledger entries can't be looked at: {error:#}");
    }
}

/// Until the next run is due, by the last one of whichever instance.
async fn first_wait(context: &AuditContext, period: Duration) -> Duration {
    let last = loop {
        let asked =
            async { runs_repo::last_run(&mut context.db.conn().await?, &context.db.schemas).await };
        match asked.await {
            Ok(last) => break last,
            Err(error) => {
                tracing::warn!(%error, "the last run over the data at rest can't be read, still trying");
                tokio::time::sleep(RETRY_DELAY).await;
            }
        }
    };
    let done_us = last.as_ref().map_or(0, |run| run.completed_us);
    if let Some(last) = last {
        show(context, &last);
    }
    if period.is_zero() {
        return NO_SCHEDULE;
    }
    period.saturating_sub(Duration::from_micros(
        u64::try_from(now_us() - done_us).unwrap_or(0),
    ))
}

async fn once(job: &AuditJob<'_>) -> Result<(), LeaderError> {
    let context = job.context;
    let done = async {
        let checked = started(job).check().await?;
        job.finish(checked, None).await
    };
    let done = done.await;
    ended(context, &done);
    done.map(drop)
}

/// Shows that a run has begun.
pub fn started<'j, 'p>(job: &'j AuditJob<'p>) -> &'j AuditJob<'p> {
    let progress = AuditProgress {
        reason: job.reason.as_str(),
        started_us: now_us(),
        ..AuditProgress::default()
    };
    // Whoever asked before now is answered by this one.
    job.context.handle.update(|note| {
        (note.running, note.asked, note.waits_for_stream) = (Some(progress), false, false);
    });
    job.context.health.metrics.audit.running.set(1);
    job
}

/// Shows how it ended.
pub fn ended(context: &AuditContext, done: &Result<AuditRun, LeaderError>) {
    context.health.metrics.audit.running.set(0);
    context.handle.update(|note| note.running = None);
    match done {
        Ok(run) => show(context, run),
        Err(stop) => {
            context.health.metrics.audit.failures.inc();
            tracing::error!(error = %stop, "data at rest could not be checked; the run starts over");
            context
                .handle
                .update(|note| note.failed = Some(stop.to_string()));
        }
    }
}

fn show(context: &AuditContext, run: &AuditRun) {
    let shown = &context.health.metrics.audit;
    shown.completed_seconds.set(seconds(run.completed_us));
    shown
        .took_seconds
        .set(seconds(run.completed_us - run.started_us));
    shown.accounts.set(run.accounts);
    shown.open_findings.set(run.open_findings);
    context
        .handle
        .update(|note| (note.last, note.failed) = (Some(run.clone()), None));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_again_and_again_is_tried_less_often() {
        let seconds = |failures| retry_delay(failures).as_secs();
        assert_eq!([1, 2, 3, 4].map(seconds), [10, 20, 40, 80]);
        assert_eq!(seconds(u32::MAX), 600);
    }
}
