//! Statements in the binlog: those that end a transaction, and those that leave no rows.

use crate::binlog::statement::{leaves_rows, note_unlogged, verb};
use crate::binlog::transactions::{GroupingStep, TransactionGrouper};
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
            "COMMIT" | "XA COMMIT" => self.end(),
            "ROLLBACK" => self.rolled_back(),
            "ROLLBACK TO" => self
                .refuse("a rollback to a savepoint")
                .map(|()| GroupingStep::Nothing),
            "SAVEPOINT" | "RELEASE" | "XA END" | "XA PREPARE" => Ok(GroupingStep::Nothing),
            "XA ROLLBACK" => self.rolled_back(),
            // Everything else that names a watched schema must be known to be
            // harmless: rows that it changes or removes are not in the binlog.
            _ if !leaves_rows(&self.watch, schema, text) => {
                self.unlogged(text)?;
                self.end_unless(begun)
            }
            _ => self.end_unless(begun),
        }
    }

    /// The stream goes on after it: what the change was is lost, that it was is told.
    fn unlogged(&mut self, statement: &str) -> anyhow::Result<()> {
        let Some(open) = &mut self.open else {
            bail!("a statement on a watched schema came outside a transaction")
        };
        note_unlogged(&self.watch, statement, &mut open.unlogged);
        Ok(())
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
        self.open.iter_mut().for_each(|open| {
            open.changes.clear();
            open.control_rows.clear();
            open.unlogged.clear();
        });
        self.end()
    }

    pub(super) fn discard(&mut self, what: &str) -> anyhow::Result<GroupingStep> {
        self.refuse(what)?;
        self.end()
    }

    fn refuse(&self, what: &str) -> anyhow::Result<()> {
        match &self.open {
            Some(open) if !open.changes.is_empty() || !open.unlogged.is_empty() => {
                bail!(
                    "transaction {}: {what} on watched tables can't be followed",
                    open.gtid.render()
                )
            }
            _ => Ok(()),
        }
    }
}
