//! Binlog events to transactions. Nothing is skipped that might carry rows of a
//! watched table. Rows of one that can't be read, and a statement that changed one without
//! any rows, are handed over as unlogged, and the stream goes on; an event that can't be
//! told to be either is an error, and the stream stops before it.
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
mod prepared;
mod rows;
mod savepoints;
mod statements;

use crate::binlog::required_position::{RequiredPosition, is_required};
use crate::binlog::transactions::prepared::PreparedTransactions;
use crate::binlog::transactions::savepoints::Savepoint;
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
    savepoints: Vec<Savepoint>,
    /// Whether more watched rows were changed than are held; they were let go.
    is_too_large: bool,
}

impl OpenTransaction {
    fn of(gtid: Gtid, begun: bool) -> Self {
        OpenTransaction {
            gtid,
            begun,
            changes: Vec::new(),
            control_rows: Vec::new(),
            unlogged: Vec::new(),
            savepoints: Vec::new(),
            is_too_large: false,
        }
    }

    /// Whether it touches anything that is watched.
    fn is_watched(&self) -> bool {
        !self.changes.is_empty() || !self.unlogged.is_empty()
    }

    /// Forgets what it changed: it was rolled back.
    fn clear(&mut self) {
        self.changes.clear();
        self.control_rows.clear();
        self.unlogged.clear();
    }
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
    /// Changes unseen outside any transaction: the next one has them.
    unseen: Vec<UnloggedChange>,
    prepared: PreparedTransactions,
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
            unseen: Vec::new(),
            prepared: PreparedTransactions::default(),
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

    /// Whether the server takes names that differ in case alone for one.
    pub fn fold_names(&mut self, folds: bool) {
        self.watch.fold_names(folds);
    }

    /// Everything up to here was grouped.
    pub fn position(&self) -> &GtidSet {
        &self.position
    }

    /// The oldest transaction that was prepared and has not ended: a restart must read it
    /// again.
    pub fn needs_from(&self) -> Option<Arc<str>> {
        self.prepared.oldest()
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
        self.unseen.clear();
        self.adopt = adopt;
    }

    /// Ends the open transaction; with watched rows it is an item.
    fn end(&mut self) -> anyhow::Result<GroupingStep> {
        let Some(mut open) = self.open.take() else {
            bail!("a {:?} transaction without GTID ended", self.flavour)
        };
        open.unlogged.append(&mut self.unseen);
        self.position.add(&open.gtid)?;
        self.required_position.read(&open.gtid, is_heavy(&open));
        if !open.is_watched() {
            return Ok(GroupingStep::Ended(None));
        }
        let position = self.position_of(&open.gtid);
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

    fn position_of(&self, gtid: &Gtid) -> Arc<str> {
        format!("{}{}", self.prefix, gtid.render()).into()
    }

    /// The server was started anew: what its last file leaves open was rolled back.
    fn server_started(&mut self) {
        if let Some(open) = self.open.take() {
            tracing::warn!(
                gtid = open.gtid.render(),
                "a transaction has no end in the binlog: its server was killed, and rolled it back"
            );
        }
    }
}

/// Whether a transaction must not be lost.
fn is_heavy(open: &OpenTransaction) -> bool {
    let mut changes = open.changes.iter();
    changes.any(|change| is_required(&change.table.name)) || !open.unlogged.is_empty()
}

#[cfg(test)]
mod tests;
