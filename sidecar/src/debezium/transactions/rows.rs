//! Messages of table topics.

use crate::debezium::FeedMessagePosition;
use crate::debezium::envelope::{ChangePlace, EnvelopeRow};
use crate::debezium::transactions::TransactionAssembler;
use crate::stream::batches::{ControlRow, UnloggedChange};
use crate::stream::change::RowChange;
use std::sync::Arc;

/// A change and its place in its transaction.
struct RowPiece {
    place: ChangePlace,
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
        let (transaction, at, change, control_row) = match self.rows.read(name, payload)? {
            EnvelopeRow::Change {
                transaction,
                place,
                change,
                control_row,
            } => (transaction, place, change, control_row),
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
            place: at,
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
            place: at,
            change,
            control_row,
        } = piece;
        // The connector repeats whatever it told before it was stopped.
        if self.reached.contains(&transaction) {
            return Ok(());
        }
        let open = self.open.entry(transaction).or_default();
        let order = at.order;
        let mut counted = open.changes.range(of_order(order));
        if counted.any(|(_, (before, _))| is_same(before, &change)) {
            return Ok(());
        }
        if open.changes.range(of_order(order)).next().is_some() {
            anyhow::ensure!(
                at.binlog.is_some(),
                "change {order} of its transaction came before, as another, and names no place in the binlog"
            );
            open.repeated = true;
        }
        open.changes.insert(at, (Arc::new(change), control_row));
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

fn of_order(order: u64) -> std::ops::RangeInclusive<ChangePlace> {
    let at = |binlog| ChangePlace { order, binlog };
    at(None)..=at(Some((u64::MAX, u64::MAX)))
}

/// Tells whether both are one change, told twice.
pub(super) fn is_same(one: &RowChange, other: &RowChange) -> bool {
    let table = one.table.name == other.table.name && one.op == other.op;
    table && one.before == other.before && one.after == other.after
}
