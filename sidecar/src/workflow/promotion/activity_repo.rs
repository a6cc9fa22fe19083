//! SQL of what rules found on live traffic.

use crate::rules::UNKNOWN_ITEM;
use crate::workflow::promotion_rules::RuleActivity;
use mysql_async::params;
use mysql_async::prelude::Queryable;
use sluice_contract::schema::Schemas;
use std::collections::HashMap;

/// Reads what each version of each rule found since then, by rule and hash. What was not known
/// yet, as with a pair rule that has just begun, is neither a finding nor an error.
pub async fn seen<Q: Queryable>(
    conn: &mut Q,
    schemas: &Schemas,
    since_us: i64,
) -> mysql_async::Result<HashMap<(String, String), RuleActivity>> {
    let sql = format!(
        "SELECT rule, rule_hash, outcome, COUNT(*) FROM {}.verdict WHERE found_us > :since_us \
         AND NOT (outcome = 'undetermined' AND item = '{UNKNOWN_ITEM}') GROUP BY rule, rule_hash, outcome",
        schemas.guard
    );
    let rows: Vec<(String, String, String, u64)> = conn.exec(sql, params! { since_us }).await?;
    let mut seen: HashMap<(String, String), RuleActivity> = HashMap::new();
    for (rule, hash, outcome, count) in rows {
        let of = seen.entry((rule, hash)).or_default();
        if outcome == "violation" {
            of.findings += count
        } else {
            of.errors += count
        }
    }
    Ok(seen)
}
