//! Step 3, at the ledger service: the entries of what was booked.

use crate::batch::{FailureClass, LockWait};
use crate::intents::{BookingIntent, BookingResult};
use crate::ledger::{Posting, repo};
use crate::saga::{BookingSaga, same_amount};
use crate::transaction::Transaction;
use crate::unit_of_work::UnitOfWork;
use anyhow::ensure;
use sluice_contract::clock::now_us;

impl BookingSaga {
    /// Appends the entries of the booked ones; what is there already is left alone.
    ///
    /// # Errors
    /// The server's, or entries under the same posting id that say something else:
    /// they were written by somebody else.
    pub async fn post(
        &self,
        intents: &[BookingIntent],
        done: &[Option<BookingResult>],
        wait: LockWait,
    ) -> anyhow::Result<()> {
        let booked = intents
            .iter()
            .zip(done)
            .filter(|(_, done)| **done == Some(BookingResult::Booked));
        let postings: Vec<&Posting> = booked.map(|(intent, _)| &intent.posting).collect();
        if postings.is_empty() {
            return Ok(());
        }
        // Nearly always they are new, so nobody looks first. A plain INSERT: what the
        // signature covers is exactly what the transaction writes.
        match self.append(&postings, wait).await {
            Err(error) if FailureClass::of(&error) == FailureClass::Duplicate => {
                let missing = self.missing(&postings).await?;
                if missing.is_empty() {
                    Ok(())
                } else {
                    self.append(&missing, wait).await
                }
            }
            done => done,
        }
    }

    async fn append(&self, postings: &[&Posting], wait: LockWait) -> anyhow::Result<()> {
        let mut conn = self.ledger.get_conn().await?;
        let unit_of_work = UnitOfWork {
            postings: postings.iter().map(|p| (*p).clone()).collect(),
            drop_outbox_row: true,
            ..UnitOfWork::default()
        };
        let lock_sql = repo::lock_ends_sql(&self.schemas, postings, wait);
        let (transaction, got) = Transaction::begin_naming(&mut conn, &lock_sql).await?;
        // A connection that is dropped within its transaction frees its locks.
        repo::insist_on_locks(&got)?;
        // The time is read behind the locks, so that the entries of one account are in the
        // order of their commits.
        unit_of_work
            .commit(transaction, &self.schemas, self.key(), now_us())
            .await
    }

    async fn missing<'a>(&self, postings: &[&'a Posting]) -> anyhow::Result<Vec<&'a Posting>> {
        let mut conn = self.ledger.get_conn().await?;
        let there = repo::booked(&mut conn, &self.schemas, postings).await?;
        let mut missing = Vec::new();
        for p in postings {
            let lines: Vec<_> = there
                .iter()
                .filter(|l| l.account_id == p.account_id && l.posting_id == p.posting_id)
                .collect();
            if lines.is_empty() {
                missing.push(*p);
                continue;
            }
            let same = lines.len() == p.lines().len()
                && p.lines().into_iter().enumerate().all(|(at, (side, book))| {
                    lines.iter().any(|l| {
                        l.line == at as i64
                            && l.book == book
                            && l.side == side.as_str()
                            && same_amount(l.amount, p.amount)
                            && l.currency == p.currency.code()
                    })
                });
            ensure!(
                same,
                "posting {} of {} is in the ledger with other entries",
                p.posting_id,
                p.account_id
            );
        }
        Ok(missing)
    }
}
