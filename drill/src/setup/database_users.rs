//! Database users of a private set-up: one per program, with the rights of
//! `scripts/users.sql`, so that every test shows that they suffice.

use crate::setup::secrets::random_hex;
use anyhow::Context;
use mysql_async::prelude::Queryable;
use sluice_contract::sql;

/// Statements for whoever sets up a database; the same file that the documents name.
const TEMPLATE: &str = include_str!("../../../scripts/users.sql");
const HOST: &str = "127.0.0.1";
/// Heads the statements that do not belong to one schema.
const SERVER_SECTION: &str = "server";

/// Passwords of the users, new with each start.
pub struct DatabaseUsers {
    base: String,
    core: String,
    sidecar: String,
    operator: String,
}

impl DatabaseUsers {
    /// Chooses passwords for the schemas under `base`.
    pub fn new(base: &str) -> Self {
        DatabaseUsers {
            base: base.to_owned(),
            core: random_hex(),
            sidecar: random_hex(),
            operator: random_hex(),
        }
    }

    /// Creates them on the server of `admin_url`, with rights on its `parts` (names as
    /// in `Schemas::each`). Not in the binlog: a replica has users of its own.
    pub async fn create(&self, admin_url: &str, parts: &[&str]) -> anyhow::Result<()> {
        let mut conn = sql::connect(admin_url).await?;
        conn.query_drop("SET sql_log_bin = 0").await?;
        for statement in statements(&self.filled(), parts) {
            let head = statement.split(" IDENTIFIED").next().unwrap_or_default();
            conn.query_drop(&statement)
                .await
                .with_context(|| head.to_owned())?;
        }
        conn.disconnect().await?;
        Ok(())
    }

    /// The core's URL for a server.
    pub fn core(&self, admin_url: &str) -> anyhow::Result<String> {
        self.url(admin_url, "core", &self.core)
    }

    /// The sidecar's URL for a server.
    pub fn sidecar(&self, admin_url: &str) -> anyhow::Result<String> {
        self.url(admin_url, "sidecar", &self.sidecar)
    }

    /// An operator's URL for a server.
    pub fn operator(&self, admin_url: &str) -> anyhow::Result<String> {
        self.url(admin_url, "operator", &self.operator)
    }

    fn url(&self, admin_url: &str, program: &str, password: &str) -> anyhow::Result<String> {
        let (_, server) = admin_url.rsplit_once('@').context("URL without a user")?;
        Ok(format!(
            "mysql://{}_{program}:{password}@{server}",
            self.base
        ))
    }

    fn filled(&self) -> String {
        TEMPLATE
            .replace("{base}", &self.base)
            .replace("{host}", HOST)
            .replace("{core}", &self.core)
            .replace("{sidecar}", &self.sidecar)
            .replace("{operator}", &self.operator)
    }
}

/// The statements that create the users, and those of the sections that `parts` name.
fn statements(text: &str, parts: &[&str]) -> Vec<String> {
    let (mut found, mut wanted, mut statement) = (Vec::new(), true, String::new());
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("-- ") {
            match comment.strip_prefix("schema ") {
                Some(part) => wanted = parts.contains(&part),
                None if comment.starts_with(SERVER_SECTION) => wanted = true,
                None => {}
            }
            continue;
        }
        statement.push_str(line);
        if let Some(whole) = statement.strip_suffix(';') {
            if wanted {
                found.push(whole.to_owned());
            }
            statement.clear();
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_of_one_schema_gets_its_statements_alone() {
        let text = DatabaseUsers::new("t").filled();
        let ledger = statements(&text, &["ledger"]);
        assert!(ledger.iter().any(|s| s.contains("`t_ledger`.`entry`")));
        assert!(!ledger.iter().any(|s| s.contains("t_orders")));
        assert!(ledger.iter().any(|s| s.contains("REPLICATION SLAVE")));
        let every = statements(&text, &["orders", "balance", "ledger", "guard"]);
        assert!(every.len() > ledger.len() && !text.contains('{'));
    }
}
