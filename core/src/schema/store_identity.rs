//! The identity of the books. Each store of balances and each ledger has an id of its
//! own, and the orders note which ones they were booked in: a core that is pointed at
//! others would book a second time.

use crate::schema::DatabaseUrls;
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_contract::ids::new_tx_id;
use sluice_contract::schema::Schemas;
use sluice_contract::sql;

/// Notes the ids at the first start and insists on them later.
///
/// # Errors
/// The setting that names other books than the noted ones.
pub(super) async fn note(
    conn: &mut impl Queryable,
    servers: &DatabaseUrls,
    schemas: &Schemas,
) -> anyhow::Result<()> {
    let (orders, now) = (&schemas.orders, now_us());
    for (service, schema) in services(schemas) {
        let store = made(servers.of(service).1, schema)
            .await
            .with_context(|| format!("the store identity of {schema}"))?;
        conn.exec_drop(
            format!("INSERT IGNORE INTO {orders}.expected_store (service,store_id,first_seen_us) VALUES (?,?,?)"),
            (service, &store, now),
        )
        .await?;
    }
    require(conn, servers, schemas).await
}

/// Insists on the noted ids, and writes nothing.
///
/// # Errors
/// As `note`.
pub(super) async fn require(
    conn: &mut impl Queryable,
    servers: &DatabaseUrls,
    schemas: &Schemas,
) -> anyhow::Result<()> {
    for (service, schema) in services(schemas) {
        let (setting, url) = servers.of(service);
        let mut books = sql::connect(url).await?;
        let store = id_of(&mut books, schema).await?;
        books.disconnect().await?;
        let noted: Option<String> = conn
            .exec_first(
                format!(
                    "SELECT store_id FROM {}.expected_store WHERE service=?",
                    schemas.orders
                ),
                (service,),
            )
            .await?;
        ensure!(
            noted.is_some() && noted == store,
            "{setting}: schema {schema} there is not the one that these orders were booked in; point the setting at \
             the server that holds it, or move its data first (docs/SHARDING.md)"
        );
    }
    Ok(())
}

fn services(schemas: &Schemas) -> [(&'static str, &str); 2] {
    [("balance", &schemas.balance), ("ledger", &schemas.ledger)]
}

/// The id of the books in `schema`; made if they are new.
async fn made(url: &str, schema: &str) -> anyhow::Result<String> {
    let mut conn = sql::connect(url).await?;
    conn.exec_drop(
        format!("INSERT IGNORE INTO {schema}.store_identity (name,store_id) VALUES ('this',?)"),
        (new_tx_id(),),
    )
    .await?;
    let found = id_of(&mut conn, schema).await?;
    conn.disconnect().await?;
    found.context("the schema has no id")
}

async fn id_of(conn: &mut impl Queryable, schema: &str) -> anyhow::Result<Option<String>> {
    let sql = format!("SELECT store_id FROM {schema}.store_identity WHERE name='this'");
    Ok(conn.query_first(sql).await?)
}
