//! SQL of trials.

use crate::workflow::trials::{RuleTrial, TrialGap, TrialGapCause};
use mysql_async::params;
use mysql_async::prelude::Queryable;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{SqlLiteral, push_row};

/// Rows per statement.
const ROWS_PER_STATEMENT: usize = 200;
/// Versions that nobody evaluates any more and that are forgotten at once.
const MAX_FORGOTTEN: usize = 1_000;

/// Row of `rule_trial`.
type TrialRow = (
    String,
    String,
    i64,
    i64,
    i64,
    i64,
    Option<i64>,
    Option<i64>,
    Option<String>,
);

/// Reads every trial. Versions that were not evaluated for a week are forgotten, so there are
/// not many.
pub async fn trials<Q: Queryable>(
    conn: &mut Q,
    schemas: &Schemas,
) -> mysql_async::Result<Vec<RuleTrial>> {
    let sql = format!(
        "SELECT rule, rule_hash, since_us, until_us, evaluated_us, gaps, gap_from_us, gap_until_us, gap_cause \
         FROM {}.rule_trial ORDER BY rule, rule_hash",
        schemas.guard
    );
    conn.query_map(sql, |row: TrialRow| trial(row)).await
}

fn trial(row: TrialRow) -> RuleTrial {
    let (rule, rule_hash, since_us, until_us, evaluated_us, gaps, from_us, gap_until_us, cause) =
        row;
    let cause = cause.and_then(|cause| cause.parse().ok());
    RuleTrial {
        rule,
        rule_hash,
        since_us,
        until_us,
        evaluated_us,
        gaps,
        gap: from_us.map(|from_us| TrialGap {
            from_us,
            until_us: gap_until_us,
            cause: cause.unwrap_or(TrialGapCause::NotRunning),
        }),
    }
}

/// Writes trials in the place of what was known of them.
pub async fn put<Q: Queryable>(
    conn: &mut Q,
    schemas: &Schemas,
    trials: &[RuleTrial],
) -> mysql_async::Result<()> {
    for some in trials.chunks(ROWS_PER_STATEMENT) {
        let mut sql = format!(
            "INSERT INTO {}.rule_trial (rule, rule_hash, since_us, until_us, evaluated_us, gaps, gap_from_us, \
             gap_until_us, gap_cause) VALUES ",
            schemas.guard
        );
        for (at, trial) in some.iter().enumerate() {
            let int = |value: Option<i64>| value.map_or(SqlLiteral::Null, SqlLiteral::Int);
            let row = [
                SqlLiteral::Text(&trial.rule),
                SqlLiteral::Text(&trial.rule_hash),
                SqlLiteral::Int(trial.since_us),
                SqlLiteral::Int(trial.until_us),
                SqlLiteral::Int(trial.evaluated_us),
                SqlLiteral::Int(trial.gaps),
                int(trial.gap.map(|gap| gap.from_us)),
                int(trial.gap.and_then(|gap| gap.until_us)),
                SqlLiteral::from(trial.gap.map(|gap| gap.cause.as_str())),
            ];
            push_row(&mut sql, at == 0, &row);
        }
        sql.push_str(
            " ON DUPLICATE KEY UPDATE since_us = VALUES(since_us), until_us = VALUES(until_us), \
             evaluated_us = VALUES(evaluated_us), gaps = VALUES(gaps), gap_from_us = VALUES(gap_from_us), \
             gap_until_us = VALUES(gap_until_us), gap_cause = VALUES(gap_cause)",
        );
        conn.query_drop(sql).await?;
    }
    Ok(())
}

/// Forgets trials that nobody has gone on with since then.
pub async fn forget<Q: Queryable>(
    conn: &mut Q,
    schemas: &Schemas,
    before_us: i64,
) -> mysql_async::Result<()> {
    let sql = format!(
        "DELETE FROM {}.rule_trial WHERE until_us < :before_us LIMIT {MAX_FORGOTTEN}",
        schemas.guard
    );
    conn.exec_drop(sql, params! { before_us }).await
}
