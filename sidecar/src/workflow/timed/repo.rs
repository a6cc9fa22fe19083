//! SQL of timed changes; the table is as small as what is out of the ordinary.

use crate::workflow::timed::{TimedChange, TimedKind};
use mysql_async::params;
use mysql_async::prelude::Queryable;
use sluice_contract::schema::Schemas;

/// Rows that one look reads; the others come after these.
const MAX_LISTED: u32 = 1_000;

/// Lists those that end first. One of a kind that is not known here is told and left out: a
/// stranger's row must not keep the others from ending.
pub async fn list<Q: Queryable>(
    conn: &mut Q,
    schemas: &Schemas,
) -> anyhow::Result<Vec<TimedChange>> {
    let sql = format!(
        "SELECT kind, subject, version, until_us, made_by, reason FROM {}.timed_change \
         ORDER BY until_us LIMIT {MAX_LISTED}",
        schemas.guard
    );
    let rows: Vec<(String, String, String, i64, String, String)> = conn.query(sql).await?;
    let read =
        |(kind, subject, version, until_us, made_by, reason): (String, String, _, _, _, _)| {
            let kind = kind.parse::<TimedKind>();
            let kind = kind.inspect_err(|error| tracing::warn!(subject, "left out: {error}"));
            Some(TimedChange {
                kind: kind.ok()?,
                subject,
                version,
                until_us,
                made_by,
                reason,
            })
        };
    Ok(rows.into_iter().filter_map(read).collect())
}

/// Writes one in the place of an earlier one of the same subject.
pub async fn put<Q: Queryable>(
    tx: &mut Q,
    schemas: &Schemas,
    one: &TimedChange,
) -> mysql_async::Result<()> {
    let sql = format!(
        "INSERT INTO {}.timed_change (kind, subject, version, until_us, made_by, reason) \
         VALUES (:kind, :subject, :version, :until_us, :made_by, :reason) \
         ON DUPLICATE KEY UPDATE version = VALUES(version), until_us = VALUES(until_us), \
         made_by = VALUES(made_by), reason = VALUES(reason)",
        schemas.guard
    );
    let values = params! {
        "kind" => one.kind.as_str(), "subject" => &one.subject, "version" => &one.version,
        "until_us" => one.until_us, "made_by" => &one.made_by, "reason" => &one.reason,
    };
    tx.exec_drop(sql, values).await
}

/// Moves the end of one that runs; nothing if there is none.
pub async fn extend<Q: Queryable>(
    tx: &mut Q,
    schemas: &Schemas,
    (kind, subject): (TimedKind, &str),
    until_us: i64,
) -> mysql_async::Result<()> {
    let sql = format!(
        "UPDATE {}.timed_change SET until_us = GREATEST(until_us, :until_us) WHERE kind = :kind AND subject = :subject",
        schemas.guard
    );
    let kind = kind.as_str();
    tx.exec_drop(sql, params! { kind, subject, until_us }).await
}

/// Makes a change last: nobody takes it back any more.
pub async fn forget<Q: Queryable>(
    tx: &mut Q,
    schemas: &Schemas,
    kind: TimedKind,
    subject: &str,
) -> mysql_async::Result<()> {
    let sql = format!(
        "DELETE FROM {}.timed_change WHERE kind = :kind AND subject = :subject",
        schemas.guard
    );
    let kind = kind.as_str();
    tx.exec_drop(sql, params! { kind, subject }).await
}
