//! Insists on schemas that are as this build needs them, for a core whose database user
//! may change rows and no tables (`mysql.migrate = false`).

use crate::schema::{DatabaseUrls, runner_of, store_identity};
use anyhow::{Context, ensure};
use sluice_contract::schema::Schemas;
use sluice_contract::sql;
use std::collections::BTreeSet;

/// Checks that every migration of this build has been applied. More may have been: an
/// older core runs on during a rolling deploy.
///
/// # Errors
/// The first migration that is missing and the command that applies it, or the books
/// that belong to other orders.
pub async fn require(servers: &DatabaseUrls, schemas: &Schemas) -> anyhow::Result<()> {
    for (part, schema) in schemas.each() {
        let (setting, url) = servers.of(part);
        require_one(part, schema, url)
            .await
            .with_context(|| format!("{setting}: schema {schema}"))?;
    }
    let mut conn = sql::connect(&servers.orders).await?;
    let same = store_identity::require(&mut conn, servers, schemas).await;
    conn.disconnect().await?;
    same
}

async fn require_one(part: &str, schema: &str, url: &str) -> anyhow::Result<()> {
    let pool = mysql_async::Pool::new(sql::options(url)?.db_name(Some(schema)));
    let mut target = pool.clone();
    let runner = runner_of(part);
    let applied = runner.get_applied_migrations_async(&mut target).await;
    pool.disconnect().await?;
    let applied = applied.context(
        "can't read which migrations were applied; run `sluice-core --migrate CONFIG.toml` with the migrating user",
    )?;
    let applied: BTreeSet<_> = applied.iter().map(|done| done.version()).collect();
    let missing = runner
        .get_migrations()
        .iter()
        .find(|migration| !applied.contains(&migration.version()));
    ensure!(
        missing.is_none(),
        "migration {} is missing; run `sluice-core --migrate CONFIG.toml` with the migrating user, then start again",
        missing.map(ToString::to_string).unwrap_or_default()
    );
    Ok(())
}
