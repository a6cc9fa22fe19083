//! Databases of a stage: schemas made by a user who may, and a user of its own for each
//! program, which may not.

use crate::setup::database_users::DatabaseUsers;
use crate::stage::servers::SplitBookServers;
use anyhow::Context;
use sluice_contract::schema::Schemas;
use sluice_core::schema::{self, DatabaseUrls};

/// URLs of the servers, as the programs' users reach them.
pub struct ProgramUrls {
    pub core: DatabaseUrls,
    pub sidecar: DatabaseUrls,
    pub operator: DatabaseUrls,
}

impl ProgramUrls {
    /// The same user for everybody: the one that was given.
    pub fn as_given(servers: &DatabaseUrls) -> Self {
        ProgramUrls {
            core: servers.clone(),
            sidecar: servers.clone(),
            operator: servers.clone(),
        }
    }

    /// Migrates the schemas and creates the programs' users.
    pub async fn restricted(
        servers: &DatabaseUrls,
        schemas: &Schemas,
        base: &str,
    ) -> anyhow::Result<Self> {
        schema::migrate(servers, schemas).await?;
        let users = DatabaseUsers::new(base);
        let apart = |url: &String| *url != servers.orders;
        let of_orders: Vec<&str> = schemas
            .each()
            .into_iter()
            .map(|(part, _)| part)
            .filter(|part| match *part {
                "balance" => !apart(&servers.balance),
                "ledger" => !apart(&servers.ledger),
                _ => true,
            })
            .collect();
        let mut targets = vec![(&servers.orders, of_orders)];
        targets.extend(apart(&servers.balance).then(|| (&servers.balance, vec!["balance"])));
        targets.extend(apart(&servers.ledger).then(|| (&servers.ledger, vec!["ledger"])));
        for (url, parts) in targets {
            users
                .create(url, &parts)
                .await
                .with_context(|| format!("users for {parts:?}"))?;
        }
        let of = |user: &dyn Fn(&str) -> anyhow::Result<String>| -> anyhow::Result<DatabaseUrls> {
            Ok(DatabaseUrls {
                orders: user(&servers.orders)?,
                balance: user(&servers.balance)?,
                ledger: user(&servers.ledger)?,
            })
        };
        Ok(ProgramUrls {
            core: of(&|url| users.core(url))?,
            sidecar: of(&|url| users.sidecar(url))?,
            operator: of(&|url| users.operator(url))?,
        })
    }
}

/// URLs of a stage's servers for the user who may do everything.
pub fn admin_urls(orders: &str, split_books: Option<&SplitBookServers>) -> DatabaseUrls {
    match split_books {
        None => DatabaseUrls::together(orders),
        Some(books) => DatabaseUrls {
            orders: orders.to_owned(),
            balance: books.balance.url(),
            ledger: books.ledger.url(),
        },
    }
}
