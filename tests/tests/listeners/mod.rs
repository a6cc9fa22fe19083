//! Listeners of real programs: slow, many and hasty clients, TLS with certificates that
//! change, and secrets from a vault.

pub mod certificates;
mod limits;
mod tls;
mod vault;

use std::time::Duration;

const WAIT_TIMEOUT: Duration = Duration::from_secs(60);
