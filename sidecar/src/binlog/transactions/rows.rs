//! Rows events to row changes of the open transaction.

use crate::binlog::transactions::{GroupingStep, TransactionGrouper};
use crate::binlog::watched_tables::TableReadPlan;
use crate::stream::change::{ChangeOp, RowChange};
use anyhow::bail;
use mysql_async::binlog::events::{Event, EventData, RowsEventData};
use std::sync::Arc;

/// Row changes of one transaction that are held in memory, about 2 GB. A larger
/// one is a manual mass change; it makes the sidecar blind, not dead.
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
        let Some(plan) = plan else {
            return Ok(GroupingStep::Nothing);
        };
        let Some(open) = &mut self.open else {
            bail!("rows of {} came outside a transaction", plan.table.name)
        };
        let RowImages { op, before, after } = images(&rows, &plan)?;
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
            open.control_rows.extend(plan.control_row(&change));
            open.changes.push(Arc::new(change));
        }
        if open.changes.len() > MAX_CHANGES_PER_TRANSACTION {
            bail!(
                "transaction {} changes more than {MAX_CHANGES_PER_TRANSACTION} watched rows",
                open.gtid.render()
            );
        }
        Ok(GroupingStep::Nothing)
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
        bail!(
            "rows of {} are incomplete; SET GLOBAL binlog_row_image = 'FULL'",
            plan.table.name
        );
    }
    let op = match (before, after) {
        (None, _) => ChangeOp::Insert,
        (Some(_), None) => ChangeOp::Delete,
        (Some(_), Some(_)) => ChangeOp::Update,
    };
    Ok(RowImages {
        op,
        before: before.is_some(),
        after: after.is_some(),
    })
}
