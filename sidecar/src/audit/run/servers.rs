//! Servers that an audit reads, by the settings.

use crate::audit::audit_context::AuditContext;
use crate::audit::read::AuditServers;
use crate::stream::gtid::Flavour;
use sluice_contract::sql::{options_of, pool_of};

/// Connections to a server of its own: one reads, one is spare.
const MAX_CONNECTIONS: usize = 2;
/// Finds where the schemas are.
///
/// # Errors
/// The books are on servers of their own, and nobody said where.
pub fn servers(context: &AuditContext, flavour: Flavour) -> anyhow::Result<AuditServers> {
    let settings = &context.settings;
    // One that is read as a server of its own is known by that.
    let also = |schema: &str| {
        context
            .servers
            .iter()
            .skip(1)
            .find(|server| server.schemas.contains(&schema))
    };
    let of = |key: &str, schema: &str, url: &str| match (url, also(schema)) {
        ("", Some(server)) => Ok(Some(server.hosts.pool())),
        ("", None) if context.split_books => {
            anyhow::bail!(
                "{key} is not set: with mysql.split_books, data at rest can't be checked without it"
            )
        }
        ("", None) => Ok(None),
        (url, _) => Ok(Some(pool_of(options_of(key, url)?, MAX_CONNECTIONS)?)),
    };
    Ok(AuditServers {
        schemas: context.db.schemas.clone(),
        flavour,
        orders: context.db.hosts.pool(),
        balance: of("audit.balance_url", "balance", &settings.balance_url)?,
        rows: context.db.seal.rows().clone(),
        ledger: of("audit.ledger_url", "ledger", &settings.ledger_url)?,
    })
}
