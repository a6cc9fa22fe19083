//! Callers of the API by name, and the names that the core itself uses.

use anyhow::ensure;
use sluice_contract::ids::is_plain;

/// The caller's name if no clients are configured.
pub const NAMELESS_CLIENT: &str = "local";

/// Under whose name payments have their keys; no caller of the API can have it.
pub const INTAKE_CLIENT: &str = "kafka";

/// Refuses names that can't be shown, or under which the core has keys of its own.
pub(super) fn check_clients(clients: &[String]) -> anyhow::Result<()> {
    for client in clients {
        ensure!(
            is_plain(client, 32),
            "clients: {client:?} is not a plain name"
        );
        // Deposits and payments have their keys under these names.
        let taken = matches!(client.as_str(), "deposit" | INTAKE_CLIENT);
        ensure!(
            !taken,
            "clients: {client:?} is used by the core itself; choose another name"
        );
    }
    Ok(())
}
