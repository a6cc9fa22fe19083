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

/// Writes the batch: tries it whole, and if one of several items is at fault, each alone.
///
/// # Errors
/// The failure of the whole, or of its only item: tries that ran out, or the item's own
/// fault.
pub async fn run<T: BatchTransaction>(
    transaction: &mut T,
    items: &[T::Item],
) -> Result<Vec<T::Done>, BatchFailure> {
    match retry(transaction, items).await {
        Err(failure) if failure.is_items_fault && items.len() > 1 => {
            Ok(isolate(transaction, items).await)
        }
        tried => tried,
    }
}

/// Gives each item a transaction of its own, in their order.
pub async fn isolate<T: BatchTransaction>(transaction: &mut T, items: &[T::Item]) -> Vec<T::Done> {
    let mut all = Vec::with_capacity(items.len());
    for item in items {
        match retry(transaction, std::slice::from_ref(item)).await {
            Ok(done) => all.extend(done),
            Err(failure) => match transaction.spoiled(item, failure).await {
                SpoiledItem::Answer(done) => all.push(done),
                SpoiledItem::Skip => {}
                SpoiledItem::Stop => break,
            },
        }
    }
    all
}
