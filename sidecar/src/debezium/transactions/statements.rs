//! Messages of the schema topic, and other changes that left no rows.

use crate::binlog::statement::{leaves_rows, note_unlogged};
use crate::debezium::FeedMessagePosition;
use crate::debezium::envelope::{self, SchemaChange};
use crate::debezium::transactions::TransactionAssembler;
use crate::stream::batches::{UnloggedChange, WatchedTransaction};
use crate::stream::change::ChangeTransaction;
use std::sync::Arc;

impl TransactionAssembler {
    pub(super) fn statement(
        &mut self,
        topic: &Arc<str>,
        place: FeedMessagePosition<'_>,
        payload: Option<&[u8]>,
    ) -> anyhow::Result<()> {
        let Some(payload) = payload else {
            return Ok(());
        };
        let statement: SchemaChange = envelope::parse(payload)?;
        let (database, ddl) = (
            statement.database.as_deref().unwrap_or_default(),
            statement.ddl.as_deref(),
        );
        let Some(ddl) = ddl
            .filter(|ddl| !statement.is_first_look() && !leaves_rows(&self.watch, database, ddl))
        else {
            return Ok(());
        };
        let mut unlogged = Vec::new();
        note_unlogged(&self.watch, ddl, &mut unlogged);
        self.without_rows(topic, place, statement.gtid(), unlogged);
        Ok(())
    }

    /// Queues a change without rows. Its GTID makes it the same if the connector tells it
    /// again. It is not counted as done: transactions before it may still be on their way, on
    /// another topic.
    pub(super) fn without_rows(
        &mut self,
        topic: &Arc<str>,
        place: FeedMessagePosition<'_>,
        gtid: Option<String>,
        unlogged: Vec<UnloggedChange>,
    ) {
        let position = gtid.unwrap_or_else(|| place.to_string());
        let transaction = Arc::new(ChangeTransaction {
            position: position.into(),
            changes: Vec::new(),
        });
        let held = (Arc::clone(topic), place.partition, place.offset);
        self.hold(&held);
        self.unlogged.push_back((
            WatchedTransaction {
                transaction,
                control_rows: Vec::new(),
                unlogged,
            },
            held,
        ));
    }
}
