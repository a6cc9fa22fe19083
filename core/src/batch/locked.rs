//! Accounts whose rows somebody has locked for long: a host that stands still in the middle
//! of a transaction, an operator's open `SELECT … FOR UPDATE`. Their items fail alone, and
//! cost the others one wait for a lock, once.
//!
//! | try | waits for a lock | after a lock that doesn't come |
//! |---|---|---|
//! | the whole batch | as long as the session says | each account by itself |
//! | an account of such a batch | not at all, some tries | its items are refused; it is a suspect |
//! | a suspect, or one after some that were locked | not at all, one try | its items are refused |

use crate::batch::isolate::{IsolatedBatch, run_until_silent};
use crate::batch::{BatchFailure, BatchTransaction, FailureClass, LockWait};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// An account is tried apart for this long after its lock was last missed.
const SUSPECT_FOR: Duration = Duration::from_secs(3);

/// Accounts of a batch that are tried with pauses though they are locked: a statement by hand
/// that locks hundreds must not make the others wait for each of them.
const MAX_PATIENT_MISSES: usize = 4;

/// Accounts that were found locked lately; clones share them.
#[derive(Debug, Clone, Default)]
pub struct LockedAccounts(Arc<Mutex<HashMap<String, Instant>>>);

/// A batch transaction over items that each need the rows of one account.
pub trait AccountTransaction: BatchTransaction<Item: Clone> {
    fn account(item: &Self::Item) -> &str;

    fn locked_accounts(&self) -> &LockedAccounts;

    /// Sets how the next tries wait for locks.
    fn set_lock_wait(&mut self, wait: LockWait);

    /// Answers an item that was given up.
    fn refuse(&mut self, item: &Self::Item, failure: &BatchFailure) -> Self::Done;
}

impl LockedAccounts {
    fn note(&self, account: &str) {
        self.lock().insert(account.to_owned(), Instant::now());
    }

    fn clear(&self, account: &str) {
        self.lock().remove(account);
    }

    /// Splits items into those of suspects and the others, each in their order.
    fn split<T>(&self, items: &[T], account: impl Fn(&T) -> &str) -> (Vec<usize>, Vec<usize>) {
        let mut seen = self.lock();
        seen.retain(|_, since| since.elapsed() < SUSPECT_FOR);
        (0..items.len()).partition(|at| !seen.is_empty() && seen.contains_key(account(&items[*at])))
    }

    /// Locks the map, for look-ups only, never across an await.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes the batch so that a locked account fails alone; one result for each item.
pub async fn run_beside_locked<T: AccountTransaction>(
    transaction: &mut T,
    items: &[T::Item],
) -> Vec<T::Done> {
    let (suspects, others) = transaction.locked_accounts().split(items, T::account);
    if suspects.is_empty() {
        return whole(transaction, items).await.done;
    }
    let picked = |at: &[usize]| at.iter().map(|i| items[*i].clone()).collect::<Vec<_>>();
    let mut done: Vec<(usize, T::Done)> = Vec::with_capacity(items.len());
    let mut is_silent = false;
    if !others.is_empty() {
        let written = whole(transaction, &picked(&others)).await;
        is_silent = written.is_silent;
        done.extend(others.into_iter().zip(written.done));
    }
    let suspected = picked(&suspects);
    let written = if is_silent {
        refuse_all(transaction, &suspected, &BatchFailure::untried())
    } else {
        let written = by_account(transaction, &suspected, LockWait::Never).await;
        written.done
    };
    done.extend(suspects.into_iter().zip(written));
    in_order(done)
}

/// Writes items of accounts that nobody suspects.
async fn whole<T: AccountTransaction>(
    transaction: &mut T,
    items: &[T::Item],
) -> IsolatedBatch<T::Done> {
    match run_until_silent(transaction, items).await {
        Ok(written) => written,
        Err(failure) if is_locked(&failure) => {
            by_account(transaction, items, LockWait::SomeTries).await
        }
        Err(failure) => IsolatedBatch {
            done: refuse_all(transaction, items, &failure),
            is_silent: failure.is_silence(),
        },
    }
}

/// Writes each account's items in a transaction of their own. Once nobody answers, the
/// others are refused untried: they would wait in vain, one behind the other.
async fn by_account<T: AccountTransaction>(
    transaction: &mut T,
    items: &[T::Item],
    wait: LockWait,
) -> IsolatedBatch<T::Done> {
    let mut accounts: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, item) in items.iter().enumerate() {
        accounts.entry(T::account(item)).or_default().push(at);
    }
    transaction.set_lock_wait(wait);
    let mut done = Vec::with_capacity(items.len());
    let (mut is_silent, mut misses) = (false, 0);
    for (account, at) in accounts {
        let of_account: Vec<T::Item> = at.iter().map(|i| items[*i].clone()).collect();
        let written = if is_silent {
            refuse_all(transaction, &of_account, &BatchFailure::untried())
        } else {
            let (written, is_locked) = of_one_account(transaction, account, &of_account).await;
            is_silent = written.is_silent;
            misses += usize::from(is_locked);
            if misses == MAX_PATIENT_MISSES {
                transaction.set_lock_wait(LockWait::Never);
            }
            written.done
        };
        done.extend(at.into_iter().zip(written));
    }
    transaction.set_lock_wait(LockWait::Usual);
    IsolatedBatch {
        done: in_order(done),
        is_silent,
    }
}

/// Writes the items of one account, and tells whether its rows were locked.
async fn of_one_account<T: AccountTransaction>(
    transaction: &mut T,
    account: &str,
    items: &[T::Item],
) -> (IsolatedBatch<T::Done>, bool) {
    match run_until_silent(transaction, items).await {
        Ok(written) => {
            if !written.is_silent {
                transaction.locked_accounts().clear(account);
            }
            (written, false)
        }
        Err(failure) => {
            let is_locked = is_locked(&failure);
            if is_locked {
                tracing::warn!(
                    account,
                    "its rows are locked by somebody: {:#}",
                    failure.error
                );
                transaction.locked_accounts().note(account);
            }
            let refused = IsolatedBatch {
                done: refuse_all(transaction, items, &failure),
                is_silent: failure.is_silence(),
            };
            (refused, is_locked)
        }
    }
}

fn is_locked(failure: &BatchFailure) -> bool {
    FailureClass::of(&failure.error) == FailureClass::Locked
}

fn refuse_all<T: AccountTransaction>(
    transaction: &mut T,
    items: &[T::Item],
    failure: &BatchFailure,
) -> Vec<T::Done> {
    let refuse = |item| transaction.refuse(item, failure);
    items.iter().map(refuse).collect()
}

fn in_order<D>(mut done: Vec<(usize, D)>) -> Vec<D> {
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, done)| done).collect()
}

#[cfg(test)]
#[path = "locked_tests.rs"]
mod tests;
