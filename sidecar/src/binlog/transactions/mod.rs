//! Binlog events to transactions. Nothing is skipped that might carry rows of a
//! watched table: an event that can't be read is an error, and the stream stops before it.
//! A statement that changed a watched table without any rows, and can be named, is handed
//! over as unlogged.
//!
//! | phase | events | where |
//! |---|---|---|
//! | begin | GTID | `gtids` |
//! | learn how rows are read | table map | `table_map` |
//! | collect | rows; statements that leave none | `rows`, `statements` |
//! | end | XID, COMMIT, the only statement | `end` |
//!
//! No phase asks the server anything.

mod checksum;
mod event_kinds;
mod gtids;
mod rows;
mod statements;

use crate::binlog::required_position::{RequiredPosition, is_required};
use crate::binlog::watched_tables::WatchedTables;
use crate::stream::batches::{ControlRow, UnloggedChange, WatchedTransaction};
use crate::stream::change::{ChangeTransaction, RowChange};
use crate::stream::gtid::{Flavour, Gtid, GtidSet};
use anyhow::bail;
use std::sync::Arc;

struct OpenTransaction {
    gtid: Gtid,
    /// Ends with XID or COMMIT; otherwise with its only statement.
    begun: bool,
    changes: Vec<Arc<RowChange>>,
    control_rows: Vec<ControlRow>,
    unlogged: Vec<UnloggedChange>,
}

/// An event's effect on the grouping.
#[derive(Debug)]
pub enum GroupingStep {
    Nothing,
    /// The server has nothing more for now.
    Idle,
    /// A transaction ended; with watched rows it is an item.
    Ended(Option<WatchedTransaction>),
}

/// Groups one stream's events by transaction.
pub struct TransactionGrouper {
    watch: WatchedTables,
    flavour: Flavour,
    /// Before every position of this stream, if there are several servers.
    prefix: String,
    position: GtidSet,
    required_position: RequiredPosition,
    /// The stream began at a file's start: its list of earlier GTIDs is where we are.
    adopt: bool,
    open: Option<OpenTransaction>,
}

impl TransactionGrouper {
    pub fn new(watch: WatchedTables, flavour: Flavour, position: GtidSet) -> Self {
        let required_position = RequiredPosition::from(&position);
        TransactionGrouper {
            watch,
            flavour,
            prefix: String::new(),
            position,
            required_position,
            adopt: false,
            open: None,
        }
    }

    /// One of several servers: it has only what `watch` says, and its positions begin
    /// with its name, so that they are no other server's. The first has none.
    pub fn of_server(&mut self, name: &str, watch: WatchedTables) {
        self.watch = watch;
        self.prefix = if name.is_empty() {
            String::new()
        } else {
            format!("{name}/")
        };
    }

    /// Everything up to here was grouped.
    pub fn position(&self) -> &GtidSet {
        &self.position
    }

    /// The position that a server which takes over must have.
    pub fn required_position(&self) -> anyhow::Result<GtidSet> {
        self.required_position.of(self.flavour, &self.position)
    }

    /// Reads once more what nobody relies on.
    pub fn rewind_to(&mut self, required_position: GtidSet) {
        self.required_position = RequiredPosition::from(&required_position);
        self.position = required_position;
    }

    /// A new connection: what was half read comes again.
    pub fn restart(&mut self, adopt: bool) {
        self.open = None;
        self.adopt = adopt;
    }

    /// Ends the open transaction; with watched rows it is an item.
    fn end(&mut self) -> anyhow::Result<GroupingStep> {
        let Some(open) = self.open.take() else {
            bail!("a {:?} transaction without GTID ended", self.flavour)
        };
        self.position.add(&open.gtid)?;
        let heavy = open
            .changes
            .iter()
            .any(|change| is_required(&change.table.name))
            || !open.unlogged.is_empty();
        self.required_position.read(&open.gtid, heavy);
        if open.changes.is_empty() && open.unlogged.is_empty() {
            return Ok(GroupingStep::Ended(None));
        }
        let position = format!("{}{}", self.prefix, open.gtid.render()).into();
        let transaction = Arc::new(ChangeTransaction {
            position,
            changes: open.changes,
        });
        Ok(GroupingStep::Ended(Some(WatchedTransaction {
            transaction,
            control_rows: open.control_rows,
            unlogged: open.unlogged,
        })))
    }
}
