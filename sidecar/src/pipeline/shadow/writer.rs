//! Writer of shadow: verdicts, then trials, each by a statement of its own. It takes no lock
//! of the lease or of anything else that an armed commit waits for. Ids are derived, so that
//! a repeat is harmless, and a deposed sidecar can only repeat what its successor says.

use crate::health::Health;
use crate::leader::lease_repo;
use crate::leader::retry::RetrySchedule;
use crate::pipeline::shadow::evaluator::ShadowFindings;
use crate::verdicts::{Verdict, repo as verdict_repo};
use crate::workflow::arming::record::report_verdicts;
use crate::workflow::trials::{RuleTrial, repo as trials_repo};
use mysql_async::Pool;
use sluice_contract::clock::now_us;
use sluice_contract::schema::Schemas;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Time in which findings are gathered to be written together.
const GATHER_TIME: Duration = Duration::from_millis(100);
/// Verdicts that are written together at most; others wait, and shadow with them.
const MAX_GATHERED_VERDICTS: usize = 500;
/// One try; a silent server must not hold it for ever.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for the last try after the stop.
const LAST_WRITE_TIMEOUT: Duration = Duration::from_millis(500);
/// Retries: never given up, shadow's queue drops meanwhile.
const WRITE_RETRIES: RetrySchedule = RetrySchedule {
    max_attempts: None,
    first_pause: Duration::from_millis(100),
    max_pause: Duration::from_secs(2),
};
/// Trials that nobody went on with for so long are forgotten.
const FORGET_AFTER_US: i64 = 7 * 24 * 3_600_000_000;

/// A version of a rule, and its trial in this life and with those before it.
type KnownTrials = HashMap<(String, String), (Option<RuleTrial>, RuleTrial)>;

/// Writer of what shadow found in one leadership.
pub struct ShadowWriter {
    pub pool: Pool,
    pub schemas: Schemas,
    pub owner: String,
    pub epoch: i64,
    pub health: Health,
    pub stop: CancellationToken,
}

impl ShadowWriter {
    /// Writes until the stop.
    pub async fn run(self, mut results: mpsc::Receiver<ShadowFindings>) -> anyhow::Result<()> {
        let mut trials: Option<KnownTrials> = None;
        loop {
            let first = tokio::select! {
                biased;
                first = results.recv() => first,
                () = self.stop.cancelled() => None,
            };
            let Some(mut gathered) = first else {
                break;
            };
            self.gather(&mut gathered, &mut results).await;
            if !self.write_until_done(&gathered, &mut trials).await {
                break;
            }
        }
        // A part that ends before the stop would end the leadership.
        self.stop.cancelled().await;
        Ok(())
    }

    async fn gather(
        &self,
        gathered: &mut ShadowFindings,
        results: &mut mpsc::Receiver<ShadowFindings>,
    ) {
        let until = tokio::time::Instant::now() + GATHER_TIME;
        while gathered.verdicts.len() < MAX_GATHERED_VERDICTS {
            let more = tokio::select! {
                more = results.recv() => more,
                () = tokio::time::sleep_until(until) => None,
                () = self.stop.cancelled() => None,
            };
            let Some(more) = more else { return };
            gathered.verdicts.extend(more.verdicts);
            // A later trial takes an earlier one's place.
            gathered.trials.extend(more.trials);
        }
    }

    /// Returns whether to go on: not once another holds the lease, or after the stop.
    async fn write_until_done(
        &self,
        gathered: &ShadowFindings,
        trials: &mut Option<KnownTrials>,
    ) -> bool {
        let mut tries = WRITE_RETRIES.begin();
        loop {
            let timeout = match self.stop.is_cancelled() {
                true => LAST_WRITE_TIMEOUT,
                false => WRITE_TIMEOUT,
            };
            let tried = tokio::time::timeout(timeout, self.write(gathered, trials)).await;
            let why = match tried {
                Ok(Ok(is_ours)) => return is_ours,
                Ok(Err(error)) => format!("{error:#}"),
                Err(_) => format!("no answer within {} ms", timeout.as_millis()),
            };
            tracing::warn!("what shadow found can't be written, still trying: {why}");
            let pause = tries.after_failure().unwrap_or(WRITE_RETRIES.max_pause);
            tokio::select! {
                () = self.stop.cancelled() => return false,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Tries once. `false` if another holds the lease.
    async fn write(
        &self,
        gathered: &ShadowFindings,
        trials: &mut Option<KnownTrials>,
    ) -> anyhow::Result<bool> {
        let mut conn = self.pool.get_conn().await?;
        if !lease_repo::is_held(&mut conn, &self.schemas, &self.owner, self.epoch).await? {
            return Ok(false);
        }
        let known = verdict_repo::known(&mut conn, &self.schemas, &gathered.verdicts).await?;
        let is_new = |verdict: &&Verdict| !known.contains(&verdict.verdict_id);
        let new: Vec<Verdict> = gathered.verdicts.iter().filter(is_new).cloned().collect();
        let now = now_us();
        verdict_repo::insert(&mut conn, &self.schemas, &new, now).await?;
        report_verdicts(&new, self.health.metrics, &self.health.status);
        if gathered.trials.is_empty() {
            return Ok(true);
        }
        // After the verdicts: up to where a trial says, they are written.
        if trials.is_none() {
            trials_repo::forget(&mut conn, &self.schemas, now - FORGET_AFTER_US).await?;
            let earlier = trials_repo::trials(&mut conn, &self.schemas).await?;
            *trials = Some(earlier.into_iter().map(earlier_life).collect());
        }
        if let Some(known) = trials {
            let whole = go_on(known, &gathered.trials);
            trials_repo::put(&mut conn, &self.schemas, &whole).await?;
        }
        Ok(true)
    }
}

fn earlier_life(trial: RuleTrial) -> ((String, String), (Option<RuleTrial>, RuleTrial)) {
    let version = (trial.rule.clone(), trial.rule_hash.clone());
    (version, (None, trial))
}

/// Puts each trial behind what was known of its version before this life of it began; each
/// version once, as it was last told.
fn go_on(known: &mut KnownTrials, reported: &[RuleTrial]) -> Vec<RuleTrial> {
    let mut last: HashMap<(&str, &str), &RuleTrial> = HashMap::new();
    for trial in reported {
        last.insert((&trial.rule, &trial.rule_hash), trial);
    }
    let mut all = Vec::new();
    for trial in last.into_values() {
        let version = (trial.rule.clone(), trial.rule_hash.clone());
        let (base, life) = match known.remove(&version) {
            // The same life goes on.
            Some((base, life)) if life.since_us == trial.since_us => (base, trial.clone()),
            Some((base, life)) => (Some(life.after(base.as_ref())), trial.clone()),
            None => (None, trial.clone()),
        };
        all.push(life.after(base.as_ref()));
        known.insert(version, (base, life));
    }
    all.sort_by(|a, b| (&a.rule, &a.rule_hash).cmp(&(&b.rule, &b.rule_hash)));
    all
}
