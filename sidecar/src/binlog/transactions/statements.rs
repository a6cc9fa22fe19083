//! Statements in the binlog: those that end a transaction, and those that leave no rows.

use crate::binlog::statement::{leaves_rows, note_unlogged, verb};
use crate::binlog::transactions::prepared::{XaPrepared, xa_name};
use crate::binlog::transactions::{GroupingStep, OpenTransaction, TransactionGrouper, is_heavy};
use anyhow::bail;
use mysql_async::binlog::events::{Event, ExecuteLoadQueryEvent, QueryEvent};

impl TransactionGrouper {
    pub(super) fn query(&mut self, event: &Event) -> anyhow::Result<GroupingStep> {
        let query: QueryEvent<'_> = event.read_event()?;
        self.statement(&query.schema(), &query.query())
    }

    /// `LOAD DATA` where rows are not logged: the file came in pieces before it.
    pub(super) fn load(&mut self, event: &Event) -> anyhow::Result<GroupingStep> {
        let query: ExecuteLoadQueryEvent<'_> = event.read_event()?;
        self.statement(&query.schema(), &query.query())
    }

    fn statement(&mut self, schema: &str, text: &str) -> anyhow::Result<GroupingStep> {
        // MariaDB's stand-in for an event that it thinks we don't know. A person's
        // comment of those words has a statement on the next line.
        if text.starts_with("# Dummy") && !text.contains('\n') {
            return Ok(GroupingStep::Nothing);
        }
        let verb = verb(text);
        let begun = self.open.as_ref().is_some_and(|open| open.begun);
        match verb.as_str() {
            "BEGIN" | "XA START" | "XA BEGIN" => {
                self.open.iter_mut().for_each(|open| open.begun = true);
                Ok(GroupingStep::Nothing)
            }
            "COMMIT" => self.end(),
            "XA COMMIT" => self.prepared_ended(text, true),
            "XA ROLLBACK" => self.prepared_ended(text, false),
            "ROLLBACK" => self.rolled_back(),
            "SAVEPOINT" => {
                self.open
                    .iter_mut()
                    .for_each(|open| open.set_savepoint(text));
                Ok(GroupingStep::Nothing)
            }
            "ROLLBACK TO" => self.rolled_back_to(text),
            "RELEASE" | "XA END" | "XA PREPARE" => Ok(GroupingStep::Nothing),
            // Everything else that names a watched schema must be known to be
            // harmless: rows that it changes or removes are not in the binlog.
            _ if !leaves_rows(&self.watch, schema, text) => {
                if self.open.is_none() {
                    bail!("a statement on a watched schema came outside a transaction");
                }
                self.changed_unseen(text);
                self.end_unless(begun)
            }
            _ => self.end_unless(begun),
        }
    }

    /// Tells the open transaction, or else the next, as one that may have changed watched rows
    /// unseen. The stream goes on: what the change was is lost, that it may have been is told.
    pub(super) fn changed_unseen(&mut self, what: &str) {
        let unlogged = match &mut self.open {
            Some(open) => &mut open.unlogged,
            None => &mut self.unseen,
        };
        note_unlogged(&self.watch, what, unlogged);
    }

    /// A statement of MariaDB's `log_bin_compress`: a long one. Its text is not known.
    pub(super) fn compressed_statement(&mut self) -> anyhow::Result<GroupingStep> {
        self.changed_unseen(
            "a compressed statement can't be judged; SET GLOBAL log_bin_compress = OFF",
        );
        let begun = self.open.as_ref().is_some_and(|open| open.begun);
        self.end_unless(begun)
    }

    fn end_unless(&mut self, begun: bool) -> anyhow::Result<GroupingStep> {
        if begun {
            Ok(GroupingStep::Nothing)
        } else {
            self.end()
        }
    }

    fn rolled_back(&mut self) -> anyhow::Result<GroupingStep> {
        // Written only if other engines' tables changed too; watched ones are InnoDB.
        self.open.iter_mut().for_each(OpenTransaction::clear);
        self.end()
    }

    fn rolled_back_to(&mut self, text: &str) -> anyhow::Result<GroupingStep> {
        let Some(open) = &mut self.open else {
            return Ok(GroupingStep::Nothing);
        };
        // Set before this transaction's first row: nothing that it took back is known.
        if !open.roll_back_to(text) && open.is_watched() {
            note_unlogged(&self.watch, text, &mut open.unlogged);
        }
        Ok(GroupingStep::Nothing)
    }

    /// An XA transaction is prepared: it may yet be committed or rolled back, by anybody, long
    /// after. Committed in one phase it ends here.
    pub(super) fn xa_prepared(&mut self, event: &Event) -> anyhow::Result<GroupingStep> {
        let XaPrepared { name, one_phase } = XaPrepared::parse(event.data())?;
        if one_phase || !self.open.as_ref().is_some_and(OpenTransaction::is_watched) {
            return self.end();
        }
        let Some(open) = self.open.take() else {
            bail!("an XA transaction without GTID was prepared")
        };
        self.required_position.read(&open.gtid, is_heavy(&open));
        self.position.add(&open.gtid)?;
        let position = self.position_of(&open.gtid);
        let Some(mut open) = self.prepared.hold(name, open, position) else {
            return Ok(GroupingStep::Ended(None));
        };
        let statement = "XA PREPARE: more rows are prepared than can be held";
        note_unlogged(&self.watch, statement, &mut open.unlogged);
        open.changes = Vec::new();
        open.control_rows = Vec::new();
        self.open = Some(open);
        self.end()
    }

    /// Ends a prepared transaction: it counts from here on, or never. One that is not known
    /// touched nothing that is watched.
    fn prepared_ended(&mut self, text: &str, committed: bool) -> anyhow::Result<GroupingStep> {
        let prepared = self.prepared.take(&xa_name(text));
        match (&mut self.open, prepared) {
            (Some(open), Some(prepared)) if committed => {
                open.changes.splice(..0, prepared.changes);
                open.control_rows.splice(..0, prepared.control_rows);
                open.unlogged.splice(..0, prepared.unlogged);
            }
            (Some(open), _) if !committed => open.clear(),
            _ => {}
        }
        self.end()
    }
}
