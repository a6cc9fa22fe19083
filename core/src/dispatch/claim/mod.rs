//! The claim: the transaction that allows a send.
//!
//! | phase | statement | round trips |
//! |---|---|---|
//! | begin | `START TRANSACTION` | 1 |
//! | lock orders, look for ends | `SELECT … FOR UPDATE` by account and id; history, ledger | 1 |
//! | attempts of what is sent again | `SELECT` of its attempts | 0 or 1 |
//! | routing in force | `SELECT` of its number | 1 |
//! | lock totals | `SELECT … FOR UPDATE` in key order | 0 or 1 |
//! | read breakers, last | `SELECT` of those that aren't closed | 1 |
//! | decide | `gates` and `result`, in memory | 0 |
//! | write and commit | one signed batch of statements | 1 |

mod gates;
mod grant;
mod inputs;
mod locked;
mod rejections;
mod result;
mod send_path;

pub(super) use result::{ClaimEffects, ClaimedOrder, UnroutableOrder};

use crate::batch::{
    self, BatchFailure, BatchTransaction, FailureClass, FollowUp, RetryPolicy, SpoiledItem,
};
use crate::channels::ChannelClient;
use crate::orders::{OrderRef, OrderSeals};
use crate::routing::ActiveRouting;
use crate::transaction::{Transaction, roll_back};
use inputs::read_inputs;
use result::ClaimResult;
use sluice_contract::clock::now_us;
use sluice_contract::provenance::TransactionSigner;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{Conn, Pool};
use std::collections::HashSet;

/// Capabilities of the claim.
#[derive(Clone, Copy)]
pub(super) struct ClaimContext<'a> {
    pub pool: &'a Pool,
    pub schemas: &'a Schemas,
    pub key: &'a TransactionSigner,
    pub seals: &'a OrderSeals,
    /// Whether the ledger lies with the orders.
    pub together: bool,
    /// Version of the breakers' seal that was announced before this claim.
    pub breakers: i64,
    pub routing: &'a ActiveRouting,
    pub channels: &'a [ChannelClient],
    /// Zone of the platform's day, by which limits count.
    pub day_zone: &'a str,
}

/// A committed claim: what is ours to send, and what is to be done besides.
pub(super) struct ClaimedRound {
    pub claimed: Vec<ClaimedOrder>,
    pub effects: ClaimEffects,
}

/// Claims the orders on `conn`, which is made if there is none; returns those that are
/// ours to send.
///
/// # Errors
/// One order's own fault, or tries that ran out. The connection is in doubt then.
pub(super) async fn claim(
    context: ClaimContext<'_>,
    conn: &mut Option<Conn>,
    ids: &[OrderRef],
    holds: &HashSet<String>,
) -> Result<ClaimedRound, BatchFailure> {
    let mut transaction = ClaimTransaction {
        context,
        conn,
        holds,
        effects: ClaimEffects::default(),
    };
    let claimed = batch::retry(&mut transaction, ids).await?;
    let effects = transaction.effects;
    Ok(ClaimedRound { claimed, effects })
}

/// One round's transaction, and what it needs.
struct ClaimTransaction<'a> {
    context: ClaimContext<'a>,
    conn: &'a mut Option<Conn>,
    holds: &'a HashSet<String>,
    /// Of the try that was committed.
    effects: ClaimEffects,
}

impl BatchTransaction for ClaimTransaction<'_> {
    type Item = OrderRef;
    type Done = ClaimedOrder;

    fn policy(&self) -> &'static RetryPolicy {
        &batch::policy::CLAIM
    }

    async fn attempt(&mut self, ids: &[OrderRef]) -> anyhow::Result<Vec<ClaimedOrder>> {
        let conn = self.context.pool.hold(self.conn).await?;
        let mut transaction = Transaction::begin(conn).await?;
        let mut locked = locked::lock(&self.context, transaction.conn(), ids).await?;
        let orders = std::mem::take(&mut locked.orders);
        let now = now_us();
        let mut inputs = read_inputs(&self.context, transaction.conn(), &orders, now).await?;
        let mut result = ClaimResult::default();
        for order in orders {
            if let Err(breach) = gates::gate_seal(self.context.seals, &locked, &order) {
                result.set_altered(&order, breach);
                continue;
            }
            let decision = gates::decide(&inputs, self.context.channels, &order, self.holds)?;
            result.add(&mut inputs, order, decision, now)?;
        }
        result.show_held();
        result.effects.unknown_breakers = inputs.tripped.unknown().to_vec();
        if result.is_empty() {
            transaction.roll_back().await?;
        } else {
            let totals = inputs.totals.touched();
            let unit_of_work = result.unit_of_work(&locked.live, totals);
            unit_of_work
                .commit(transaction, self.context.schemas, self.context.key, now)
                .await?;
            result.count_claimed();
        }
        self.effects = result.effects;
        Ok(result.claimed)
    }

    /// Keeps the connection if the server rolled back; else drops it.
    async fn reset(&mut self, error: &anyhow::Error) {
        let keeps = match FailureClass::of(error) {
            FailureClass::Conflict | FailureClass::Locked | FailureClass::Duplicate => true,
            FailureClass::Disconnected | FailureClass::Refused | FailureClass::Internal => false,
        };
        let rolled_back = match &mut *self.conn {
            Some(conn) if keeps => roll_back(conn).await.is_ok(),
            Some(_) | None => false,
        };
        if !rolled_back {
            *self.conn = None;
        }
    }

    fn follow_up(&mut self, error: &anyhow::Error, attempt: u32) -> FollowUp {
        let pause = self.policy().after_conflict(attempt);
        match FailureClass::of(error) {
            FailureClass::Conflict | FailureClass::Locked => FollowUp::Retry(pause),
            // A total's first row of the day may have been made by another instance
            // meanwhile; if it is still a duplicate at last, an order is at fault.
            FailureClass::Duplicate if attempt + 1 < self.policy().max_attempts => {
                FollowUp::Retry(pause)
            }
            FailureClass::Disconnected => FollowUp::GiveUp,
            FailureClass::Duplicate | FailureClass::Refused | FailureClass::Internal => {
                FollowUp::Isolate
            }
        }
    }

    /// Leaves the order to a round of its own, under a token of its own, so that holds
    /// and breakers are as fresh for it as for any other.
    async fn spoiled(&mut self, _: &OrderRef, _: BatchFailure) -> SpoiledItem<ClaimedOrder> {
        SpoiledItem::Stop
    }
}
