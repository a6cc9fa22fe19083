//! Isolation: a batch that one item spoils is written one by one, so that only that one fails.

use crate::batch::{BatchFailure, BatchTransaction, retry};

/// Answer for an item that fails even alone.
#[derive(Debug)]
pub enum SpoiledItem<D> {
    /// A result that takes the item's place.
    Answer(D),
    /// No result: it is quarantined.
    Skip,
    /// No result, nor for those behind it: the fault isn't the item's after all.
    Stop,
}

/// Results of a batch, and whether the database has fallen silent on the way to them.
pub(super) struct IsolatedBatch<D> {
    pub done: Vec<D>,
    pub is_silent: bool,
}

/// Writes the batch: tries it whole, and if one of several items is at fault, each alone.
///
/// # Errors
/// The failure of the whole, or of its only item: tries that ran out, or the item's own
/// fault.
pub async fn run<T: BatchTransaction>(
    transaction: &mut T,
    items: &[T::Item],
) -> Result<Vec<T::Done>, BatchFailure> {
    let written = run_until_silent(transaction, items).await;
    written.map(|batch| batch.done)
}

/// Writes the batch as `run` does, and tells whether somebody still answers.
pub(super) async fn run_until_silent<T: BatchTransaction>(
    transaction: &mut T,
    items: &[T::Item],
) -> Result<IsolatedBatch<T::Done>, BatchFailure> {
    match retry(transaction, items).await {
        Err(failure) if failure.is_items_fault && items.len() > 1 => {
            Ok(isolate_until_silent(transaction, items).await)
        }
        tried => tried.map(|done| IsolatedBatch {
            done,
            is_silent: false,
        }),
    }
}

/// Gives each item a transaction of its own, in their order. Once nobody answers, those
/// behind are not tried: each would cost its whole deadline, one behind the other.
pub async fn isolate<T: BatchTransaction>(transaction: &mut T, items: &[T::Item]) -> Vec<T::Done> {
    isolate_until_silent(transaction, items).await.done
}

async fn isolate_until_silent<T: BatchTransaction>(
    transaction: &mut T,
    items: &[T::Item],
) -> IsolatedBatch<T::Done> {
    let mut done = Vec::with_capacity(items.len());
    let mut is_silent = false;
    for item in items {
        let tried = if is_silent {
            Err(BatchFailure::untried())
        } else {
            retry(transaction, std::slice::from_ref(item)).await
        };
        match tried {
            Ok(written) => done.extend(written),
            Err(failure) => {
                is_silent |= failure.is_silence();
                match transaction.spoiled(item, failure).await {
                    SpoiledItem::Answer(answer) => done.push(answer),
                    SpoiledItem::Skip => {}
                    SpoiledItem::Stop => break,
                }
            }
        }
    }
    IsolatedBatch { done, is_silent }
}
