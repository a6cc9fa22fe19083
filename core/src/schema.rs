//! Creates and migrates the four schemas. Safe to run from several instances at
//! once: a named lock is held, since the migration library takes none.

use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use sluice_contract::schema::Schemas;
use sluice_contract::sql;

mod orders {
    refinery::embed_migrations!("../migrations/orders");
}
mod balance {
    refinery::embed_migrations!("../migrations/balance");
}
mod ledger {
    refinery::embed_migrations!("../migrations/ledger");
}
mod guard {
    refinery::embed_migrations!("../migrations/guard");
}

/// How long to wait for another instance that migrates, in seconds.
const LOCK_WAIT_S: u32 = 60;

pub async fn migrate(url: &str, schemas: &Schemas) -> anyhow::Result<()> {
    let mut lock = sql::connect(url).await.context("migrate: can't connect to mysql.url")?;
    let name = format!("sluice-migrate-{}", schemas.orders);
    let got: Option<i64> = lock.exec_first("SELECT GET_LOCK(?, ?)", (&name, LOCK_WAIT_S)).await?;
    ensure!(got == Some(1), "migrate: another instance has held {name} for {LOCK_WAIT_S} s");
    for (part, schema) in schemas.each() {
        let create = format!("CREATE DATABASE IF NOT EXISTS {schema} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
        lock.query_drop(create).await.with_context(|| format!("migrate: creating {schema}"))?;
        let pool = mysql_async::Pool::new(sql::options(url)?.db_name(Some(schema)));
        let mut target = pool.clone();
        let runner = match part {
            "orders" => orders::migrations::runner(),
            "balance" => balance::migrations::runner(),
            "ledger" => ledger::migrations::runner(),
            _ => guard::migrations::runner(),
        };
        let done = runner.run_async(&mut target).await;
        pool.disconnect().await?;
        done.with_context(|| format!("migrate: schema {schema}"))?;
    }
    let _: Option<i64> = lock.exec_first("SELECT RELEASE_LOCK(?)", (&name,)).await?;
    lock.disconnect().await?;
    Ok(())
}
