//! Messages of table topics.

use crate::debezium::FeedMessagePosition;
use crate::debezium::envelope::{ChangePlace, EnvelopeRow, SourcePlace};
use crate::debezium::transactions::TransactionAssembler;
use crate::debezium::transactions::pending::{PendingChange, PendingTransaction};
use crate::debezium::transactions::repeated::is_same;
use crate::stream::batches::{ControlRow, UnloggedChange};
use crate::stream::change::RowChange;
use std::sync::Arc;

/// A change and its place in its transaction.
struct RowPiece {
    source_place: SourcePlace,
    change: RowChange,
    control_row: Option<ControlRow>,
}

impl TransactionAssembler {
    pub(super) fn row(
        &mut self,
        topic: &Arc<str>,
        name: &'static str,
        place: FeedMessagePosition<'_>,
        payload: Option<&[u8]>,
    ) -> anyhow::Result<()> {
        let (transaction, source_place, change, control_row) =
            match self.rows.read(name, payload)? {
                EnvelopeRow::Change {
                    transaction,
                    source_place,
                    change,
                    control_row,
                } => (transaction, source_place, change, control_row),
                EnvelopeRow::Truncated { gtid } => {
                    let unlogged = UnloggedChange {
                        table: name,
                        text: format!("TRUNCATE TABLE {name}"),
                        count: 1,
                    };
                    self.without_rows(topic, place, gtid, vec![unlogged]);
                    return Ok(());
                }
                EnvelopeRow::Passed => return Ok(()),
            };
        let piece = RowPiece {
            source_place,
            change,
            control_row,
        };
        self.piece(topic, name, place, transaction, piece)
    }

    /// Adds one change to its transaction.
    fn piece(
        &mut self,
        topic: &Arc<str>,
        name: &'static str,
        place: FeedMessagePosition<'_>,
        transaction: String,
        piece: RowPiece,
    ) -> anyhow::Result<()> {
        // The connector repeats whatever it told before it was stopped.
        if self.reached.contains(&transaction) {
            self.late(topic, name, place, &transaction, piece.source_place.place);
            return Ok(());
        }
        let RowPiece {
            source_place,
            change,
            control_row,
        } = piece;
        let open = self.open.entry(transaction.clone()).or_default();
        let is_of_other_file = open.is_of_other_file(source_place.binlog_file);
        if is_known(
            open,
            &transaction,
            source_place.place,
            &change,
            is_of_other_file,
        )? {
            return Ok(());
        }
        open.numbers.insert(source_place.place.order);
        let pending = PendingChange {
            topic: Arc::clone(topic),
            table_order: source_place.table_order,
            change: Arc::new(change),
            control_row,
        };
        open.changes.insert(source_place.place, pending);
        self.changes += 1;
        match &mut open.missing {
            Some(_) if open.repeated => {}
            Some(missing) => {
                let left = missing.entry(Arc::clone(topic)).or_default();
                *left -= 1;
                anyhow::ensure!(
                    *left >= 0,
                    "its transaction has more changes of table {name} than its end says"
                );
            }
            None => *open.seen.entry(Arc::clone(topic)).or_default() += 1,
        }
        let message = (Arc::clone(topic), place.partition, place.offset);
        open.messages.push(message.clone());
        self.hold(&message);
        Ok(())
    }
}

/// Tells whether a change came before under the same number. Under another one, or with its
/// number at another change, the transaction is repeated: nothing is dropped until its places
/// can be compared.
///
/// # Errors
/// Two changes that are not the same have one number, and nothing else tells them apart.
fn is_known(
    open: &mut PendingTransaction,
    transaction: &str,
    place: ChangePlace,
    change: &RowChange,
    is_of_other_file: bool,
) -> anyhow::Result<bool> {
    let order = place.order;
    let as_another = || {
        format!(
            "change {order} of its transaction {transaction} came before, as another, and no place in the binlog tells them apart"
        )
    };
    if let Some(before) = open.changes.get(&place) {
        anyhow::ensure!(is_same(&before.change, change), as_another());
        return Ok(true);
    }
    let mut is_repetition = false;
    if place.binlog.is_some() {
        let at = |order| ChangePlace { order, ..place };
        let mut there = open.changes.range(at(0)..=at(u64::MAX));
        is_repetition = there.any(|(_, before)| is_same(&before.change, change));
    }
    let is_number_taken = open.numbers.contains(&order);
    if is_number_taken {
        let mut namesakes = open.changes.iter().filter(|(p, _)| p.order == order);
        // Another server has other places for the same.
        if is_of_other_file && namesakes.any(|(_, before)| is_same(&before.change, change)) {
            return Ok(true);
        }
        anyhow::ensure!(place.binlog.is_some(), as_another());
    }
    open.repeated |= is_repetition || is_number_taken;
    Ok(false)
}
