//! The end of a timed change.

use crate::breakers::{self, BreakerMove, BreakerMoveResult, seal::SealState};
use crate::leader::transaction::{self, LeaseTerm};
use crate::verdicts::{cut, open_repo};
use crate::workflow::timed::{BY_BUDGET, TimedChange, TimedChanges, TimedKind, armed_again, repo};
use crate::workflow::{publish_repo, repo as sets};
use anyhow::Context;
use sluice_contract::breaker::{BreakerKey, BreakerState};
use sluice_contract::clock::now_us;

const BY: &str = "sidecar";

impl TimedChanges {
    pub(super) async fn undo(&self, due: &TimedChange) -> anyhow::Result<()> {
        match due.kind {
            TimedKind::Breaker => self.close(due).await,
            TimedKind::Mode => self.arm_again(due).await,
        }
    }

    fn term(&self) -> LeaseTerm<'_> {
        LeaseTerm {
            schemas: &self.db.schemas,
            rows: self.db.seal.rows(),
            owner: &self.db.owner,
            epoch: self.epoch,
        }
    }

    /// Closes a breaker that a budget opened and nobody has moved since, on which nothing else
    /// was found and nothing stands. The row of the change is not signed: it says when to look,
    /// and the breaker's own row, which is, says whether that is ours to close.
    async fn close(&self, due: &TimedChange) -> anyhow::Result<()> {
        let (schemas, seal) = (&self.db.schemas, &self.db.seal);
        let key: BreakerKey = due.subject.parse()?;
        let keys = std::slice::from_ref(&key);
        let mut conn = self.db.conn().await?;
        let now = now_us();
        let mut tx = transaction::begin(&mut conn, self.term(), now).await?;
        let before = seal.lock(&mut tx, schemas).await?;
        if let SealState::Broken(why) = &before {
            anyhow::bail!("{key} stays open: the breakers were changed by hand ({why})");
        }
        let last = breakers::repo::last_move(&mut tx, schemas, seal.rows(), &key).await?;
        let is_budgets = last.is_some_and(|(last, version)| {
            last.to == BreakerState::Open
                && last.by == BY_BUDGET
                && version.to_string() == due.version
        });
        let is_held = !open_repo::open_on(&mut tx, schemas, keys, 1)
            .await?
            .is_empty()
            || !open_repo::standing_on(&mut tx, schemas, keys)
                .await?
                .is_empty();
        repo::forget(&mut tx, schemas, due.kind, &due.subject).await?;
        let mut sealed = None;
        if is_budgets && !is_held {
            let at_us = before.time_of_move(now);
            let wanted = BreakerMove {
                key: key.clone(),
                to: BreakerState::Closed,
                verdict_id: None,
                reason: cut(
                    &format!("its time is over: {}", due.reason),
                    sets::MAX_REASON_CHARS,
                ),
                by: BY.to_owned(),
                at_us,
            };
            let moved =
                breakers::repo::apply(&mut tx, schemas, seal.rows(), &wanted, at_us).await?;
            if matches!(moved, BreakerMoveResult::To(_)) {
                sealed = seal.renew(&mut tx, schemas, &before).await?;
            }
        }
        tx.commit().await?;
        seal.committed(sealed);
        tracing::warn!(breaker = %key, closed = sealed.is_some(), "the time of a wide stop is over");
        Ok(())
    }

    /// Arms a rule again, unless its text is another one by now or somebody armed it.
    async fn arm_again(&self, due: &TimedChange) -> anyhow::Result<()> {
        let schemas = &self.db.schemas;
        let mut conn = self.db.conn().await?;
        let version = sets::active(&mut conn, schemas).await?;
        let set = sets::read(&mut conn, schemas, version).await?;
        let next = set.and_then(|set| armed_again(&set, due, now_us()));
        let now = now_us();
        let mut tx = transaction::begin(&mut conn, self.term(), now).await?;
        repo::forget(&mut tx, schemas, due.kind, &due.subject).await?;
        if let Some(next) = &next {
            let reason = format!("the emergency of {} is over: {}", due.made_by, due.reason);
            let reason = cut(&reason, sets::MAX_REASON_CHARS);
            let why = publish_repo::PublishReason {
                by: BY,
                reason: &reason,
                content_of: None,
                at_us: now,
            };
            let first =
                publish_repo::publish(&mut tx, schemas, self.db.seal.rows(), next, &why).await?;
            first.then_some(()).context("others change the set")?;
        }
        tx.commit().await?;
        self.rules.changed.notify_one();
        tracing::warn!(
            rule = due.subject,
            armed = next.is_some(),
            "an emergency is over"
        );
        Ok(())
    }
}
