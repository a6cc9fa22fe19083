//! SQL of proposals.

use crate::workflow::promotion_rules::PromotionProposal;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, params};
use sluice_contract::schema::Schemas;

pub async fn proposals(
    conn: &mut Conn,
    schemas: &Schemas,
    now_us: i64,
) -> mysql_async::Result<Vec<PromotionProposal>> {
    let sql = format!(
        "SELECT rule, rule_hash, step, content, proposed_by, reason, created_us, expires_us FROM {}.rule_proposal \
         WHERE expires_us > :now_us ORDER BY rule",
        schemas.guard
    );
    let make = |(rule, rule_hash, step, content, proposed_by, reason, created_us, expires_us)| {
        let content: Option<String> = content;
        PromotionProposal {
            rule,
            rule_hash,
            step,
            content: content.and_then(|text| serde_json::from_str(&text).ok()),
            proposed_by,
            reason,
            created_us,
            expires_us,
        }
    };
    conn.exec_map(sql, params! { now_us }, make).await
}

/// Stores a proposal in the place of an older one.
pub async fn propose(
    conn: &mut Conn,
    schemas: &Schemas,
    p: &PromotionProposal,
) -> mysql_async::Result<()> {
    let sql = format!(
        "INSERT INTO {}.rule_proposal (rule, rule_hash, step, content, proposed_by, reason, created_us, expires_us) \
         VALUES (:rule, :rule_hash, :step, :content, :proposed_by, :reason, :created_us, :expires_us) \
         ON DUPLICATE KEY UPDATE rule_hash = VALUES(rule_hash), step = VALUES(step), content = VALUES(content), \
         proposed_by = VALUES(proposed_by), reason = VALUES(reason), created_us = VALUES(created_us), \
         expires_us = VALUES(expires_us)",
        schemas.guard
    );
    let named = params! {
        "rule" => &p.rule, "rule_hash" => &p.rule_hash, "step" => &p.step,
        "content" => p.content.as_ref().map(ToString::to_string), "proposed_by" => &p.proposed_by,
        "reason" => &p.reason, "created_us" => p.created_us, "expires_us" => p.expires_us,
    };
    conn.exec_drop(sql, named).await
}

/// Forgets a proposal: it was carried out, or the text that it was for is gone.
pub async fn forget_proposal<Q: Queryable>(
    tx: &mut Q,
    schemas: &Schemas,
    rule: &str,
) -> mysql_async::Result<()> {
    let sql = format!(
        "DELETE FROM {}.rule_proposal WHERE rule = :rule",
        schemas.guard
    );
    tx.exec_drop(sql, params! { rule }).await
}
