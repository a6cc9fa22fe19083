//! Loading of the set in force: read from the database, compiled, taken into use.

use crate::health::blind::BlindCause;
use crate::reload::{BOOK_TABLES, RuleReloader};
use crate::rules::runtime::rule_set::RuleSet;
use crate::workflow::{RuleSetVersion, repo, signed_rows_repo};
use anyhow::Context;
use mysql_async::Conn;
use std::sync::Arc;

impl RuleReloader {
    /// Takes the set of this version into use.
    pub(super) async fn load(&mut self, conn: &mut Conn, version: i64) -> anyhow::Result<()> {
        if version == self.loaded || version == 0 {
            return Ok(());
        }
        let db = &self.context.db;
        signed_rows_repo::check(conn, &db.schemas, db.seal.rows(), version).await?;
        let set = repo::read(conn, &db.schemas, version).await?;
        let set =
            Arc::new(set.with_context(|| format!("set {version} is in force, but has no rules"))?);
        signed_rows_repo::check_whole(conn, &db.schemas, db.seal.rows(), &set).await?;
        let (of, key) = (Arc::clone(&set), self.context.transaction_keys.clone());
        let compiled = tokio::task::spawn_blocking(move || of.compile(key)).await?.map_err(|errors| {
            anyhow::anyhow!("set {version} can't be used by this release: {errors}; take one back that can be")
        })?;
        let mut rules = compiled.within(self.context.memory_bytes);
        self.put_to_sleep(&mut rules);
        self.show(&set, &rules);
        self.rules.send_replace(Some(Arc::new(rules)));
        self.loaded = version;
        self.context.health.blind.clear(BlindCause::Rules);
        Ok(())
    }

    /// Turns off rules that compare tables which this sidecar does not read together.
    fn put_to_sleep(&self, rules: &mut RuleSet) {
        let mysql = &self.context.mysql;
        let unread: Vec<&str> = BOOK_TABLES
            .into_iter()
            .filter(|t| mysql.server_of(t).is_none())
            .collect();
        let mut asleep = rules.without(&unread);
        asleep.extend(rules.split_servers(|table| mysql.server_of(table)));
        if !asleep.is_empty() {
            tracing::warn!(
                ?asleep,
                "balance and ledger are apart: these rules can't see what they compare, and sleep"
            );
        }
    }

    fn show(&self, set: &RuleSetVersion, rules: &RuleSet) {
        let count = rules.rules().count();
        tracing::info!(
            rules = count,
            hash = rules.hash(),
            version = set.version,
            "rules loaded"
        );
        let metrics = self.context.health.metrics;
        let demoted = set.members.iter().filter(|m| m.demoted).count();
        metrics
            .rules_loaded
            .set(i64::try_from(count).unwrap_or(i64::MAX));
        metrics
            .workflow
            .demoted
            .set(i64::try_from(demoted).unwrap_or(i64::MAX));
        metrics.workflow.version.set(set.version);
        metrics.workflow.info.reset();
        metrics
            .workflow
            .info
            .with_label_values(&[rules.hash()])
            .set(1);
        self.context
            .health
            .status
            .update(|s| s.rules_version = set.version);
    }
}
