//! Rows events to row changes of the open transaction.

use crate::binlog::statement::note_unlogged;
use crate::binlog::transactions::{GroupingStep, OpenTransaction, TransactionGrouper};
use crate::binlog::watched_tables::{TablePlan, TableReadPlan, is_read, table_id};
use crate::stream::change::{ChangeOp, RowChange};
use anyhow::{Context, bail};
use mysql_async::binlog::events::{Event, EventData, RowsEventData};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Row changes of one transaction that are held in memory, about 2 GB. A larger
/// one is a manual mass change: it is told as changed unseen.
const MAX_CHANGES_PER_TRANSACTION: usize = 2_000_000;

impl TransactionGrouper {
    pub(super) fn rows(&mut self, event: &Event) -> anyhow::Result<GroupingStep> {
        let Some(EventData::RowsEvent(rows)) = event.read_data()? else {
            bail!("rows event can't be read")
        };
        if rows.rows_data().is_empty() {
            return Ok(GroupingStep::Nothing);
        }
        let id = rows.table_id();
        let plan = self
            .watch
            .plan(id)
            .ok_or_else(|| anyhow::anyhow!("rows of table id {id} came without a table map"))?;
        let (plan, why) = match plan {
            TablePlan::Unwatched => return Ok(GroupingStep::Nothing),
            TablePlan::Read(plan) => (Some(plan), String::new()),
            TablePlan::Unreadable(why) => (None, why.to_string()),
        };
        let op = op_of(&rows);
        if plan
            .as_ref()
            .is_some_and(|plan| !is_read(&plan.table.name, op))
        {
            return Ok(GroupingStep::Nothing);
        }
        let Some(open) = &mut self.open else {
            bail!("rows of a watched table came outside a transaction")
        };
        if open.is_too_large {
            return Ok(GroupingStep::Nothing);
        }
        let taken = match plan {
            Some(plan) => open
                .take(&rows, &plan)
                .map_err(|e| format!("{}: {e:#}", plan.table.name)),
            None => Err(why),
        };
        let is_too_large = open.changes.len() > MAX_CHANGES_PER_TRANSACTION;
        if let Err(why) = taken {
            self.changed_unseen(&format!("rows of {why}"));
        }
        if is_too_large {
            self.let_go();
        }
        Ok(GroupingStep::Nothing)
    }

    /// Rows of MariaDB's `log_bin_compress`: read only as far as to know their table.
    pub(super) fn compressed_rows(&mut self, event: &Event) -> anyhow::Result<GroupingStep> {
        let id = table_id(event.data()).context("a rows event is cut short")?;
        let name = match self.watch.plan(id) {
            Some(TablePlan::Unwatched) => return Ok(GroupingStep::Nothing),
            Some(TablePlan::Read(plan)) => plan.table.name.clone(),
            Some(TablePlan::Unreadable(why)) => why.to_string(),
            None => bail!("rows of table id {id} came without a table map"),
        };
        self.changed_unseen(&format!(
            "rows of {name} are compressed; SET GLOBAL log_bin_compress = OFF"
        ));
        Ok(GroupingStep::Nothing)
    }

    /// Tells the open transaction as changed unseen: it is too large to be held.
    fn let_go(&mut self) {
        let Some(open) = &mut self.open else { return };
        open.is_too_large = true;
        let tables: BTreeSet<&str> = open.changes.iter().map(|c| c.table.name.as_str()).collect();
        for table in tables {
            let statement = format!(
                "{table}: one transaction changed more than {MAX_CHANGES_PER_TRANSACTION} watched rows"
            );
            note_unlogged(&self.watch, &statement, &mut open.unlogged);
        }
        open.changes = Vec::new();
        open.control_rows = Vec::new();
    }
}
impl OpenTransaction {
    /// Takes all rows of an event, or none of them.
    ///
    /// # Errors
    /// Rows that lack columns, or don't fit the table.
    fn take(&mut self, rows: &RowsEventData<'_>, plan: &TableReadPlan) -> anyhow::Result<()> {
        let (changes, control_rows) = (self.changes.len(), self.control_rows.len());
        let taken = self.take_each(rows, plan);
        if taken.is_err() {
            self.changes.truncate(changes);
            self.control_rows.truncate(control_rows);
        }
        taken
    }

    fn take_each(&mut self, rows: &RowsEventData<'_>, plan: &TableReadPlan) -> anyhow::Result<()> {
        let RowImages { op, before, after } = images(rows, plan)?;
        let mut data = rows.rows_data();
        while !data.is_empty() {
            let before = before.then(|| plan.image(&mut data)).transpose()?;
            let after = after.then(|| plan.image(&mut data)).transpose()?;
            let change = RowChange {
                table: Arc::clone(&plan.table),
                op,
                before,
                after,
            };
            self.control_rows.extend(plan.control_row(&change));
            self.changes.push(Arc::new(change));
        }
        Ok(())
    }
}

/// The change that the event makes of its rows.
fn op_of(rows: &RowsEventData<'_>) -> ChangeOp {
    match (
        rows.columns_before_image().is_some(),
        rows.columns_after_image().is_some(),
    ) {
        (false, _) => ChangeOp::Insert,
        (true, false) => ChangeOp::Delete,
        (true, true) => ChangeOp::Update,
    }
}

/// The images that each row of an event has.
struct RowImages {
    op: ChangeOp,
    before: bool,
    after: bool,
}

/// # Errors
/// Images that lack columns: what they held is lost.
fn images(rows: &RowsEventData<'_>, plan: &TableReadPlan) -> anyhow::Result<RowImages> {
    let all = |bits: Option<bool>| bits.unwrap_or(true);
    let before = rows.columns_before_image().map(|bits| bits.all());
    let after = rows.columns_after_image().map(|bits| bits.all());
    let partial = matches!(rows, RowsEventData::PartialUpdateRowsEvent(_));
    if partial || !all(before) || !all(after) || rows.num_columns() != plan.columns.len() as u64 {
        bail!("incomplete; SET GLOBAL binlog_row_image = 'FULL'");
    }
    Ok(RowImages {
        op: op_of(rows),
        before: before.is_some(),
        after: after.is_some(),
    })
}
