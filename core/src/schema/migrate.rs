//! Creates and migrates the schemas. Safe to run from several instances at once: a named
//! lock is held, since the migration library takes none.

use crate::schema::{DatabaseUrls, runner_of, store_identity};
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use sluice_contract::schema::Schemas;
use sluice_contract::sql;

/// Wait for another instance that migrates, in seconds.
const LOCK_TIMEOUT_S: u32 = 60;

/// Creates what is missing and migrates what is behind.
///
/// # Errors
/// The setting of the server that can't be reached, the schema whose migration failed,
/// or the books that belong to other orders.
pub async fn migrate(servers: &DatabaseUrls, schemas: &Schemas) -> anyhow::Result<()> {
    let mut lock = sql::connect(&servers.orders)
        .await
        .context("migrate: can't connect to mysql.url")?;
    let name = format!("sluice-migrate-{}", schemas.orders);
    let got: Option<i64> = lock
        .exec_first("SELECT GET_LOCK(?, ?)", (&name, LOCK_TIMEOUT_S))
        .await?;
    ensure!(
        got == Some(1),
        "migrate: another instance has held {name} for {LOCK_TIMEOUT_S} s"
    );
    for (part, schema) in schemas.each() {
        let (setting, url) = servers.of(part);
        migrate_one(part, schema, setting, url).await?;
    }
    let noted = store_identity::note(&mut lock, servers, schemas).await;
    let _: Option<i64> = lock.exec_first("SELECT RELEASE_LOCK(?)", (&name,)).await?;
    lock.disconnect().await?;
    noted
}

async fn migrate_one(part: &str, schema: &str, setting: &str, url: &str) -> anyhow::Result<()> {
    let mut conn = sql::connect(url)
        .await
        .with_context(|| format!("migrate: can't connect to {setting} ({part})"))?;
    let create =
        format!("CREATE DATABASE IF NOT EXISTS {schema} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
    conn.query_drop(create)
        .await
        .with_context(|| format!("migrate: creating {schema}"))?;
    conn.disconnect().await?;
    let pool = mysql_async::Pool::new(sql::options(url)?.db_name(Some(schema)));
    let mut target = pool.clone();
    let done = runner_of(part).run_async(&mut target).await;
    pool.disconnect().await?;
    done.with_context(|| format!("migrate: schema {schema}"))?;
    Ok(())
}
