//! Messages of table topics.

use crate::debezium::FeedMessagePosition;
use crate::debezium::envelope::EnvelopeRow;
use crate::debezium::transactions::TransactionAssembler;
use crate::stream::batches::{ControlRow, UnloggedChange};
use crate::stream::change::RowChange;
use std::sync::Arc;

/// A change and its place in its transaction.
struct RowPiece {
    order: u64,
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
        let (transaction, order, change, control_row) = match self.rows.read(name, payload)? {
            EnvelopeRow::Change {
                transaction,
                order,
                change,
                control_row,
            } => (transaction, order, change, control_row),
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
            order,
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
        let RowPiece {
            order,
            change,
            control_row,
        } = piece;
        // The connector repeats whatever it told before it was stopped.
        if self.reached.contains(&transaction) {
            return Ok(());
        }
        let open = self.open.entry(transaction).or_default();
        if let Some((before, _)) = open.changes.get(&order) {
            let same = before.table.name == change.table.name && before.op == change.op;
            anyhow::ensure!(
                same,
                "change {order} of its transaction came before, as another"
            );
            return Ok(());
        }
        open.changes.insert(order, (Arc::new(change), control_row));
        self.changes += 1;
        match &mut open.missing {
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
