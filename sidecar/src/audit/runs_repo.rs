//! SQL of completed runs, and of the gaps that they closed.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Transaction, params};
use serde::Serialize;
use sluice_contract::schema::Schemas;

/// A completed run. Times in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditRun {
    pub run_id: String,
    /// `schedule`, `demand` or `gap`.
    pub reason: String,
    pub position: String,
    pub accounts: i64,
    pub rows: i64,
    pub suspects: i64,
    /// Differences that stand, of this run and earlier ones.
    pub open_findings: i64,
    /// Of them, those said for the first time.
    pub verdicts: i64,
    pub started_us: i64,
    pub completed_us: i64,
}

pub async fn last_run(conn: &mut Conn, schemas: &Schemas) -> mysql_async::Result<Option<AuditRun>> {
    let sql = format!(
        "SELECT run_id,reason,position,accounts,row_count,suspects,open_findings,verdicts,started_us,completed_us \
         FROM {}.audit_run ORDER BY completed_us DESC LIMIT 1",
        schemas.guard
    );
    type Row = (String, String, String, i64, i64, i64, i64, i64, i64, i64);
    let row: Option<Row> = conn.query_first(sql).await?;
    Ok(row.map(
        |(
            run_id,
            reason,
            position,
            accounts,
            rows,
            suspects,
            open_findings,
            verdicts,
            started_us,
            completed_us,
        )| {
            AuditRun {
                run_id,
                reason,
                position,
                accounts,
                rows,
                suspects,
                open_findings,
                verdicts,
                started_us,
                completed_us,
            }
        },
    ))
}

/// Written once, however often the same commit is tried.
pub async fn insert_run(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    run: &AuditRun,
) -> mysql_async::Result<()> {
    let sql = format!(
        "INSERT IGNORE INTO {}.audit_run (run_id,reason,position,accounts,row_count,suspects,open_findings,verdicts,started_us,\
         completed_us) VALUES (:run_id,:reason,:position,:accounts,:rows,:suspects,:open_findings,:verdicts,:started_us,\
         :completed_us)",
        schemas.guard
    );
    let values = params! {
        "run_id" => &run.run_id, "reason" => &run.reason, "position" => &run.position, "accounts" => run.accounts,
        "rows" => run.rows, "suspects" => run.suspects, "open_findings" => run.open_findings, "verdicts" => run.verdicts,
        "started_us" => run.started_us, "completed_us" => run.completed_us,
    };
    tx.exec_drop(sql, values).await
}

/// A stretch of a source that was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceGap {
    pub source: &'static str,
    pub from_position: String,
    pub to_position: String,
    pub found_us: i64,
    pub closed_us: i64,
    pub verdicts: i64,
}

pub async fn insert_gap(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    gap: &SourceGap,
) -> mysql_async::Result<()> {
    let sql = format!(
        "INSERT IGNORE INTO {}.gap (source,found_us,from_position,to_position,closed_us,verdicts) \
         VALUES (:source,:found_us,:from_position,:to_position,:closed_us,:verdicts)",
        schemas.guard
    );
    let values = params! {
        "source" => gap.source, "found_us" => gap.found_us, "from_position" => &gap.from_position,
        "to_position" => &gap.to_position, "closed_us" => gap.closed_us, "verdicts" => gap.verdicts,
    };
    tx.exec_drop(sql, values).await
}
