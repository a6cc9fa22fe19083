//! SQL of what snapshots leave behind: completed runs, standing differences, gaps.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Transaction, params};
use serde::Serialize;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{SqlLiteral, in_list, push_row};
use std::collections::{HashMap, HashSet};

/// Rows per statement.
const ROWS_PER_STATEMENT: usize = 200;

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

/// Which of these stand already, with the ids of their verdicts. What a suppression
/// took stands for as long as it is in force. The caller holds the lease's row.
pub async fn standing(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    ids: &[&str],
    now_us: i64,
) -> mysql_async::Result<HashMap<String, String>> {
    let mut all = HashMap::new();
    for some in ids.chunks(ROWS_PER_STATEMENT) {
        let sql = format!(
            "SELECT s.finding_id,s.verdict_id FROM {0}.audit_finding s \
             LEFT JOIN {0}.verdict v USING (verdict_id) LEFT JOIN {0}.suppression p ON p.suppression_id=v.suppression \
             WHERE s.finding_id IN {1} AND (v.suppression IS NULL OR (p.expires_us>{now_us} AND p.revoked_us IS NULL))",
            schemas.guard,
            in_list(some.iter().copied())
        );
        all.extend(tx.query::<(String, String), _>(sql).await?);
    }
    Ok(all)
}

/// New ones, or said anew: standing id, rule, verdict id.
pub async fn insert_standing(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    new: &[(&str, &str, &str)],
    since_us: i64,
) -> mysql_async::Result<()> {
    for some in new.chunks(ROWS_PER_STATEMENT) {
        let mut sql = format!(
            "INSERT INTO {}.audit_finding (finding_id,rule,verdict_id,since_us) VALUES ",
            schemas.guard
        );
        for (at, (id, rule, verdict)) in some.iter().enumerate() {
            push_row(
                &mut sql,
                at == 0,
                &[
                    SqlLiteral::Text(id),
                    SqlLiteral::Text(rule),
                    SqlLiteral::Text(verdict),
                    SqlLiteral::Int(since_us),
                ],
            );
        }
        sql.push_str(
            " ON DUPLICATE KEY UPDATE verdict_id=VALUES(verdict_id),since_us=VALUES(since_us)",
        );
        tx.query_drop(sql).await?;
    }
    Ok(())
}

/// Forgets what a complete run did not see any more, but for rules that saw only a
/// part; returns how many rows that were. What a rule said that is not in the set any
/// more goes too: should it come back, it speaks anew. The table is as small as what
/// is wrong.
pub async fn forget_but(
    tx: &mut Transaction<'_>,
    schemas: &Schemas,
    partial: &[String],
    seen: &HashSet<String>,
) -> mysql_async::Result<usize> {
    let stored: Vec<(String, String)> = tx
        .query(format!(
            "SELECT finding_id,rule FROM {}.audit_finding",
            schemas.guard
        ))
        .await?;
    let is_gone = |(id, rule): &&(String, String)| !seen.contains(id) && !partial.contains(rule);
    let gone: Vec<&str> = stored
        .iter()
        .filter(is_gone)
        .map(|(id, _)| id.as_str())
        .collect();
    for some in gone.chunks(ROWS_PER_STATEMENT) {
        let ids = in_list(some.iter().copied());
        tx.query_drop(format!(
            "DELETE FROM {}.audit_finding WHERE finding_id IN {ids}",
            schemas.guard
        ))
        .await?;
    }
    Ok(gone.len())
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
