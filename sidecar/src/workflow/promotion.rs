//! Carries out what a person asks: reads what is in force and what was seen, decides,
//! and puts the next set in force if nobody was faster; then it decides again.

use crate::rules::testing::coverage;
use crate::rules::{RuleFile, RuleFiles, RuleMode, parse_header, run_cases_of};
use crate::workflow::library_copy::own_lines;
use crate::workflow::promotion_context::PromotionContext;
use crate::workflow::promotion_rules::{self, PromotionEvidence, PromotionProposal, PromotionStep};
use crate::workflow::{HOUR_US, MAX_KEPT_SETS, RuleSetMember, RuleSetVersion, repo};
use mysql_async::{Conn, TxOpts};
use serde::Serialize;
use sluice_contract::clock::now_us;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Tries against others who change the set at the same time.
const MAX_ATTEMPTS: usize = 5;
/// Texts whose cases are remembered: several sets of the largest size.
const MAX_CACHED_TEXTS: usize = 4_096;

/// What a person wants of one rule.
pub struct PromotionRequest<'a> {
    pub rule: &'a str,
    pub step: PromotionStep,
    /// Of the version that the person looked at; not needed on the way down.
    pub hash: &'a str,
    pub by: &'a str,
    pub reason: &'a str,
    /// Whom it was proposed by, if this is the second person.
    pub proposed_by: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "done"
)]
pub enum PromotionResult {
    #[serde(rename = "inForce")]
    InForce { version: i64, hash: String },
    /// It waits for a second person.
    #[serde(rename = "proposed")]
    Proposed {
        step: String,
        rule_hash: String,
        expires_us: i64,
    },
}

/// Why nothing was done.
#[derive(Debug)]
pub enum PromotionRefusal {
    /// Every reason.
    Reasons(Vec<String>),
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for PromotionRefusal {
    fn from(error: E) -> Self {
        PromotionRefusal::Failed(error.into())
    }
}

fn no<T>(reason: impl Into<String>) -> Result<T, PromotionRefusal> {
    Err(PromotionRefusal::Reasons(vec![reason.into()]))
}

/// Promotes or retires; proposes, if it takes two.
pub async fn carry_out(
    context: &PromotionContext,
    wish: &PromotionRequest<'_>,
) -> Result<PromotionResult, PromotionRefusal> {
    let mut conn = context.db.conn().await?;
    for _ in 0..MAX_ATTEMPTS {
        let set = in_force(context, &mut conn).await?;
        let now = now_us();
        let next = match wish.step {
            PromotionStep::Promote(to) => promoted(context, &mut conn, &set, wish, to, now).await?,
            PromotionStep::Retire => retired(&set, wish)?,
        };
        if promotion_rules::needs_two(&set, wish.rule, wish.step) && wish.proposed_by.is_none() {
            return propose(context, &mut conn, &set, wish, now).await;
        }
        let reason = match wish.proposed_by {
            Some(first) => format!(
                "{} {}, proposed by {first}: {}",
                wish.step.as_str(),
                wish.rule,
                wish.reason
            ),
            None => format!("{} {}: {}", wish.step.as_str(), wish.rule, wish.reason),
        };
        if let Some(done) = publish_next(
            context,
            &mut conn,
            next,
            wish.by,
            &reason,
            None,
            Some(wish.rule),
        )
        .await?
        {
            return Ok(done);
        }
    }
    no("others change the set at the same time; try again")
}

/// The second person's word on what is proposed.
pub async fn approve(
    context: &PromotionContext,
    rule: &str,
    step: &str,
    hash: &str,
    by: &str,
) -> Result<PromotionResult, PromotionRefusal> {
    let mut conn = context.db.conn().await?;
    let proposals = repo::proposals(&mut conn, &context.db.schemas, now_us()).await?;
    drop(conn);
    let Some(proposal) = proposals.into_iter().find(|p| p.rule == rule) else {
        return no(format!(
            "nothing is proposed for {rule}, or its hour has passed: propose it again"
        ));
    };
    if proposal.proposed_by == by {
        return no(format!("{by} proposed it: a second person must approve"));
    }
    if proposal.rule_hash != hash {
        return no(format!(
            "proposed is the version {}, not {hash}: look at it again",
            proposal.rule_hash
        ));
    }
    // Another proposal may have taken its place since the second person looked.
    if proposal.step != step {
        let (what, who) = (&proposal.step, &proposal.proposed_by);
        return no(format!(
            "proposed by {who} is {what}, not {step}: look at it again"
        ));
    }
    let step = match crate::workflow::mode_of(&proposal.step) {
        Some(mode) => PromotionStep::Promote(mode),
        None => PromotionStep::Retire,
    };
    let wish = PromotionRequest {
        rule,
        step,
        hash,
        by,
        reason: &proposal.reason,
        proposed_by: Some(&proposal.proposed_by),
    };
    carry_out(context, &wish).await
}

/// Down, at once.
pub async fn demote(
    context: &PromotionContext,
    rule: &str,
    to: RuleMode,
    by: &str,
    reason: &str,
) -> Result<PromotionResult, PromotionRefusal> {
    let mut conn = context.db.conn().await?;
    for _ in 0..MAX_ATTEMPTS {
        let set = in_force(context, &mut conn).await?;
        let next =
            promotion_rules::demote(&set, rule, to, now_us()).map_err(PromotionRefusal::Reasons)?;
        let reason = format!("demote {rule} to {}: {reason}", to.as_str());
        if let Some(done) =
            publish_next(context, &mut conn, next, by, &reason, None, Some(rule)).await?
        {
            return Ok(done);
        }
    }
    no("others change the set at the same time; try again")
}

/// The content of an earlier version, as a new one.
pub async fn roll_back(
    context: &PromotionContext,
    version: i64,
    by: &str,
    reason: &str,
) -> Result<PromotionResult, PromotionRefusal> {
    let mut conn = context.db.conn().await?;
    for _ in 0..MAX_ATTEMPTS {
        let active = repo::active(&mut conn, &context.db.schemas).await?;
        if version < 1 || version >= active || version < active - MAX_KEPT_SETS {
            return no(format!(
                "set {version} can't be had back: {} to {} can",
                (active - MAX_KEPT_SETS).max(1),
                active - 1
            ));
        }
        let Some(old) = repo::read(&mut conn, &context.db.schemas, version).await? else {
            return no(format!("set {version} holds nothing"));
        };
        let next = promotion_rules::taken_back(old, &in_force(context, &mut conn).await?, now_us());
        if let Some(done) =
            publish_next(context, &mut conn, next, by, reason, Some(version), None).await?
        {
            return Ok(done);
        }
    }
    no("others change the set at the same time; try again")
}

async fn in_force(
    context: &PromotionContext,
    conn: &mut Conn,
) -> Result<RuleSetVersion, PromotionRefusal> {
    let version = repo::active(conn, &context.db.schemas).await?;
    let Some(set) = repo::read(conn, &context.db.schemas, version).await? else {
        return no("there is no rule set yet");
    };
    Ok(set)
}

async fn promoted(
    context: &PromotionContext,
    conn: &mut Conn,
    set: &RuleSetVersion,
    wish: &PromotionRequest<'_>,
    to: RuleMode,
    now_us: i64,
) -> Result<RuleSetVersion, PromotionRefusal> {
    let Some(subject) = promotion_rules::subject(set, wish.rule) else {
        return no(format!(
            "there is no rule {} in set {}",
            wish.rule, set.version
        ));
    };
    let header = parse_header(wish.rule, &subject.text.body)
        .map_err(|e| PromotionRefusal::Reasons(vec![e]))?;
    let seen = repo::seen(conn, &context.db.schemas, now_us - HOUR_US).await?;
    let seen = seen
        .get(&(wish.rule.to_owned(), subject.text.rule_hash.clone()))
        .copied()
        .unwrap_or_default();
    let untested = context.tested.untested(subject).await?;
    let known = PromotionEvidence {
        header: &header,
        seen,
        untested: &untested,
    };
    promotion_rules::promote(set, wish.rule, wish.hash, to, &known, now_us)
        .map_err(PromotionRefusal::Reasons)
}

/// What cases say of texts; a text never changes, so each is run once.
#[derive(Debug, Default)]
pub struct CaseResultCache {
    known: Mutex<HashMap<String, Arc<Vec<String>>>>,
    /// One text at a time: many who ask at once must not run the same cases.
    running: tokio::sync::Mutex<()>,
}

impl CaseResultCache {
    /// Cases that fail, and what no case tries.
    pub async fn untested(&self, member: &RuleSetMember) -> anyhow::Result<Arc<Vec<String>>> {
        if let Some(known) = self.known(&member.text.hash) {
            return Ok(known);
        }
        let _one_at_a_time = self.running.lock().await;
        if let Some(known) = self.known(&member.text.hash) {
            return Ok(known);
        }
        let found = Arc::new(run(member).await?);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_CACHED_TEXTS {
            known.clear();
        }
        known.insert(member.text.hash.clone(), Arc::clone(&found));
        Ok(found)
    }

    fn known(&self, hash: &str) -> Option<Arc<Vec<String>>> {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(hash)
            .cloned()
    }
}

/// On a thread of its own, as it may take a while.
async fn run(member: &RuleSetMember) -> anyhow::Result<Vec<String>> {
    let text = Arc::clone(&member.text);
    let rule = member.rule.clone();
    let ran = tokio::task::spawn_blocking(move || {
        let file = RuleFile {
            id: rule,
            text: text.body.clone(),
            cases: text.cases.clone(),
            mode: None,
            candidate: false,
        };
        let files = RuleFiles {
            rules: vec![file.clone()],
            ..RuleFiles::default()
        };
        let results = match run_cases_of(&files) {
            Ok(results) => results,
            Err(errors) => return vec![errors.to_string()],
        };
        let failed = results.into_iter().filter(|r| !r.passed);
        let failed = failed.map(|r| format!("case {:?}: {}", r.case, r.detail));
        // What the library has besides is its own cases' business.
        let own = own_lines(&file.text);
        let missing = coverage::of(&file, &[])
            .missing
            .into_iter()
            .filter(|m| m.line <= own);
        failed
            .chain(missing.map(|m| format!("no case has seen {m}")))
            .collect()
    });
    Ok(ran.await?)
}

fn retired(
    set: &RuleSetVersion,
    wish: &PromotionRequest<'_>,
) -> Result<RuleSetVersion, PromotionRefusal> {
    let hash = promotion_rules::subject(set, wish.rule).map(|m| m.text.rule_hash.as_str());
    match hash {
        Some(hash) if hash != wish.hash => no(format!(
            "the version in the set has the hash {hash}, not {}: look at it again",
            wish.hash
        )),
        _ => promotion_rules::retire(set, wish.rule).map_err(PromotionRefusal::Reasons),
    }
}

async fn propose(
    context: &PromotionContext,
    conn: &mut Conn,
    set: &RuleSetVersion,
    wish: &PromotionRequest<'_>,
    now_us: i64,
) -> Result<PromotionResult, PromotionRefusal> {
    let rule_hash = promotion_rules::subject(set, wish.rule)
        .map(|m| m.text.rule_hash.clone())
        .unwrap_or_default();
    let proposal = PromotionProposal {
        rule: wish.rule.to_owned(),
        rule_hash: rule_hash.clone(),
        step: wish.step.as_str().to_owned(),
        proposed_by: wish.by.to_owned(),
        reason: crate::verdicts::cut(wish.reason, repo::MAX_REASON_CHARS),
        created_us: now_us,
        expires_us: now_us + promotion_rules::PROPOSAL_LIFETIME_US,
    };
    repo::propose(conn, &context.db.schemas, &proposal).await?;
    tracing::warn!(
        rule = wish.rule,
        step = proposal.step,
        by = wish.by,
        reason = wish.reason,
        "proposed"
    );
    Ok(PromotionResult::Proposed {
        step: proposal.step,
        rule_hash,
        expires_us: proposal.expires_us,
    })
}

/// `None` if somebody else was faster.
async fn publish_next(
    context: &PromotionContext,
    conn: &mut Conn,
    next: RuleSetVersion,
    by: &str,
    reason: &str,
    content_of: Option<i64>,
    settles: Option<&str>,
) -> Result<Option<PromotionResult>, PromotionRefusal> {
    let (of, key) = (next.clone(), context.provenance_key.clone());
    if let Err(errors) = tokio::task::spawn_blocking(move || of.compile(key).map(drop)).await? {
        return no(format!("this set can't be loaded here: {errors}"));
    }
    let reason = crate::verdicts::cut(reason, repo::MAX_REASON_CHARS);
    let why = repo::PublishReason {
        by,
        reason: &reason,
        content_of,
        at_us: now_us(),
    };
    let mut tx = conn.start_transaction(TxOpts::default()).await?;
    if !repo::publish(&mut tx, &context.db.schemas, &next, &why).await? {
        tx.rollback().await?;
        return Ok(None);
    }
    if let Some(rule) = settles {
        repo::forget_proposal(&mut tx, &context.db.schemas, rule).await?;
    }
    tx.commit().await?;
    context.rules.changed.notify_one();
    let hash = next.hash();
    tracing::warn!(
        version = next.version,
        hash,
        by,
        reason,
        "another rule set is in force"
    );
    Ok(Some(PromotionResult::InForce {
        version: next.version,
        hash,
    }))
}
