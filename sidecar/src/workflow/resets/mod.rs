//! Resets: a person closes breakers, and answers what was found on them. A reset names the
//! version that the person saw and the verdicts that it answers; whatever was found since
//! then keeps the breaker open, and so does a difference at rest that still stands.
//!
//! | phase | statement |
//! |---|---|
//! | prepare | which differences stand, for their rules' suppressions |
//! | lock | suppressions of those rules, then the seal: the commit's order |
//! | read | the breakers' rows, open verdicts on them, differences that stand |
//! | decide | in memory |
//! | write | breakers and their moves, the seal, the answers |

pub mod bulk;
mod decide;

pub use decide::{ResetBlocker, ResetRefusal};

use crate::breakers::seal::SealState;
use crate::breakers::{self, BreakerMove, BreakerMoveResult};
use crate::leader::guard_db::GuardDb;
use crate::verdicts::life::VerdictAnswer;
use crate::verdicts::open_repo::{self, OpenVerdict, StandingDifference};
use crate::workflow::suppressions;
use decide::decide;
use mysql_async::{Conn, Transaction, TxOpts};
use serde::{Deserialize, Serialize};
use sluice_contract::breaker::{BreakerKey, BreakerState};
use sluice_contract::clock::now_us;
use std::collections::BTreeSet;

/// Open verdicts that one answer shows, and one reset reads.
pub const MAX_OPEN_VERDICTS: usize = 1_000;
/// Of many breakers together.
const MAX_BULK_VERDICTS: usize = 10_000;

/// A reset of one breaker, as a person asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakerReset {
    pub key: BreakerKey,
    /// Of the breaker, as the person saw it.
    pub version: i64,
    /// Ids of the verdicts that it answers.
    pub verdicts: BTreeSet<String>,
    pub reason: String,
}

/// A breaker with everything that a reset of it must answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakerFindings {
    #[serde(flatten)]
    pub breaker: breakers::repo::BreakerRow,
    pub open: Vec<OpenVerdict>,
    /// These keep it open until an audit finds them no more.
    pub standing: Vec<StandingDifference>,
}

/// Reads a breaker as it is before a reset; `None` if it was never open.
pub async fn findings_on(
    db: &GuardDb,
    key: &BreakerKey,
) -> anyhow::Result<Option<BreakerFindings>> {
    let mut conn = db.conn().await?;
    let keys = std::slice::from_ref(key);
    let mut rows = breakers::repo::find(&mut conn, &db.schemas, keys).await?;
    let Some(breaker) = rows.pop() else {
        return Ok(None);
    };
    let open = open_repo::open_on(&mut conn, &db.schemas, keys, MAX_OPEN_VERDICTS).await?;
    let standing = open_repo::standing_on(&mut conn, &db.schemas, keys).await?;
    Ok(Some(BreakerFindings {
        breaker,
        open,
        standing,
    }))
}

/// Marks what was found before lives were written down as open, if its breaker is. Done at the
/// begin of a leadership; after an upgrade it has something to do once.
pub async fn open_those_of_before(db: &GuardDb) -> anyhow::Result<()> {
    let mut conn = db.conn().await?;
    if !open_repo::has_any_of_before(&mut conn, &db.schemas).await? {
        return Ok(());
    }
    let rows = breakers::repo::list_open(&mut conn, &db.schemas).await?;
    let open: Vec<_> = rows
        .into_iter()
        .filter_map(|row| {
            let key = BreakerKey::from_row(&row.point, &row.scope, row.key).ok()?;
            Some((key, row.updated_us, row.verdict_id))
        })
        .collect();
    let marked = open_repo::open_those_of_before(&mut conn, &db.schemas, &open).await?;
    if marked > 0 {
        tracing::info!(marked, "verdicts of before keep their breakers open");
    }
    Ok(())
}

/// Closes one breaker; returns its new version.
///
/// # Errors
/// The inner error says what keeps it open; nothing was written then.
pub async fn reset(
    db: &GuardDb,
    wanted: &BreakerReset,
    by: &str,
) -> anyhow::Result<Result<i64, ResetRefusal>> {
    let mut conn = db.conn().await?;
    let keys = std::slice::from_ref(&wanted.key);
    let locked = LockedBreakers::begin(&mut conn, db, keys, MAX_OPEN_VERDICTS).await?;
    let seen = [(wanted.key.clone(), wanted.version)];
    let is_answered = |verdict: &OpenVerdict| wanted.verdicts.contains(&verdict.verdict_id);
    if let Err(refusal) = decide(&locked.state, &seen, is_answered) {
        return Ok(Err(refusal));
    }
    let versions = locked.close(&seen, (by, &wanted.reason)).await?;
    Ok(Ok(versions.into_iter().next().unwrap_or_default()))
}

/// State of some breakers, of one moment, under the seal's lock.
pub(super) struct BreakersState {
    pub seal: SealState,
    pub rows: Vec<breakers::repo::BreakerRow>,
    pub open: Vec<OpenVerdict>,
    /// No more are open than were read.
    pub is_all: bool,
    pub standing: Vec<StandingDifference>,
}

/// Breakers that nobody else moves until the transaction ends.
struct LockedBreakers<'a> {
    db: &'a GuardDb,
    tx: Transaction<'a>,
    state: BreakersState,
}

impl<'a> LockedBreakers<'a> {
    async fn begin(
        conn: &'a mut Conn,
        db: &'a GuardDb,
        keys: &[BreakerKey],
        max_open: usize,
    ) -> anyhow::Result<LockedBreakers<'a>> {
        let schemas = &db.schemas;
        let known = open_repo::standing_on(conn, schemas, keys).await?;
        let mut tx = conn.start_transaction(TxOpts::default()).await?;
        let rules: BTreeSet<&str> = known.iter().map(|s| s.rule.as_str()).collect();
        let in_force = match rules.is_empty() {
            true => Vec::new(),
            false => {
                let signed = db.seal.rows();
                suppressions::repo::suppressions_of(&mut tx, schemas, signed, &rules, now_us())
                    .await?
            }
        };
        let seal = db.seal.lock(&mut tx, schemas).await?;
        let rows = breakers::repo::find(&mut tx, schemas, keys).await?;
        let open = open_repo::open_on(&mut tx, schemas, keys, max_open).await?;
        let mut standing = open_repo::standing_on(&mut tx, schemas, keys).await?;
        // Somebody answers for it, with room for its amount.
        standing.retain(|s| {
            !in_force
                .iter()
                .any(|one| one.has_room_for(&s.rule, [&s.account_id, &s.item], s.amount))
        });
        Ok(LockedBreakers {
            db,
            tx,
            state: BreakersState {
                seal,
                rows,
                is_all: open.len() < max_open,
                open,
                standing,
            },
        })
    }

    /// Closes these, each of its version, and answers every open verdict on them; commits.
    /// Returns their new versions.
    async fn close(
        self,
        seen: &[(BreakerKey, i64)],
        (by, reason): (&str, &str),
    ) -> anyhow::Result<Vec<i64>> {
        let LockedBreakers { db, mut tx, state } = self;
        let schemas = &db.schemas;
        let at_us = state.seal.time_of_move(now_us());
        let mut versions = Vec::new();
        for (key, version) in seen {
            let wanted = BreakerMove {
                key: key.clone(),
                to: BreakerState::Closed,
                verdict_id: None,
                reason: reason.to_owned(),
                by: by.to_owned(),
                at_us,
            };
            let moved =
                breakers::repo::apply(&mut tx, schemas, db.seal.rows(), &wanted, at_us).await?;
            let BreakerMoveResult::To(closed) = moved else {
                anyhow::bail!("{key} moved under the seal's lock");
            };
            versions.push(closed);
            let on_it = state.open.iter().filter(|v| v.names(key));
            let ids: Vec<&str> = on_it.map(|v| v.verdict_id.as_str()).collect();
            let with = format!("{key}@{version}");
            let answer = VerdictAnswer {
                by,
                text: reason,
                at_us,
                with: Some(&with),
            };
            open_repo::answer(&mut tx, schemas, &ids, answer).await?;
        }
        let sealed = db.seal.renew(&mut tx, schemas, &state.seal).await?;
        tx.commit().await?;
        db.seal.committed(sealed);
        Ok(versions)
    }
}
