//! Creates and migrates the four schemas, each on its server. Safe to run from
//! several instances at once: a named lock is held, since the migration library
//! takes none. Then makes sure that balances and ledger are the ones that these
//! orders were booked in: a core pointed at others would book a second time.

use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_contract::ids::new_tx_id;
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

/// Wait for another instance that migrates, in seconds.
const LOCK_TIMEOUT_S: u32 = 60;

/// URLs of the servers. Orders and guard always share one; balance and ledger are
/// there too, or each on its own.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrls {
    pub orders: String,
    pub balance: String,
    pub ledger: String,
}

impl DatabaseUrls {
    /// All four schemas on one server.
    pub fn together(url: &str) -> Self {
        DatabaseUrls {
            orders: url.to_owned(),
            balance: url.to_owned(),
            ledger: url.to_owned(),
        }
    }

    pub fn are_split(&self) -> bool {
        self.balance != self.orders || self.ledger != self.orders
    }

    /// The setting that names the server of a schema, and its URL.
    fn of(&self, part: &str) -> (&'static str, &str) {
        match part {
            "balance" if self.balance != self.orders => ("balance.url", &self.balance),
            "ledger" if self.ledger != self.orders => ("ledger.url", &self.ledger),
            _ => ("mysql.url", &self.orders),
        }
    }
}

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
    let noted = same_books(&mut lock, servers, schemas).await;
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
    let runner = match part {
        "orders" => orders::migrations::runner(),
        "balance" => balance::migrations::runner(),
        "ledger" => ledger::migrations::runner(),
        _ => guard::migrations::runner(),
    };
    let done = runner.run_async(&mut target).await;
    pool.disconnect().await?;
    done.with_context(|| format!("migrate: schema {schema}"))?;
    Ok(())
}

/// Notes the identity of the books at the first start and insists on it later.
async fn same_books(
    conn: &mut impl Queryable,
    servers: &DatabaseUrls,
    schemas: &Schemas,
) -> anyhow::Result<()> {
    let (orders, now) = (&schemas.orders, now_us());
    for (service, schema) in [("balance", &schemas.balance), ("ledger", &schemas.ledger)] {
        let (setting, url) = servers.of(service);
        let store = store_of(url, schema)
            .await
            .with_context(|| format!("the store identity of {schema}"))?;
        conn.exec_drop(
            format!("INSERT IGNORE INTO {orders}.expected_store (service,store_id,first_seen_us) VALUES (?,?,?)"),
            (service, &store, now),
        )
        .await?;
        let noted: Option<String> = conn
            .exec_first(
                format!("SELECT store_id FROM {orders}.expected_store WHERE service=?"),
                (service,),
            )
            .await?;
        ensure!(
            noted.as_ref() == Some(&store),
            "{setting}: schema {schema} there is not the one that these orders were booked in; point the setting at \
             the server that holds it, or move its data first (docs/SHARDING.md)"
        );
    }
    Ok(())
}

/// The id of the books in `schema`; made if they are new.
async fn store_of(url: &str, schema: &str) -> anyhow::Result<String> {
    let mut conn = sql::connect(url).await?;
    let table = format!("{schema}.store_identity");
    conn.exec_drop(
        format!("INSERT IGNORE INTO {table} (name,store_id) VALUES ('this',?)"),
        (new_tx_id(),),
    )
    .await?;
    let found: Option<String> = conn
        .query_first(format!("SELECT store_id FROM {table} WHERE name='this'"))
        .await?;
    conn.disconnect().await?;
    found.context("it has no id")
}
