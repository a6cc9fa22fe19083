//! Session settings: what a connection asks of the server when it begins.

use std::time::Duration;

/// Session settings that the money path rests on: READ COMMITTED with conditional
/// updates (REPEATABLE READ lost updates when measured), strict types, UTC. No variable is
/// set by two of these statements: the library runs them in an order of its own.
pub(super) const SETTINGS_SQL: &str =
    "SET SESSION sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone='+00:00'";
/// A bounded wait for locks, off the money path.
pub(super) const LOCK_WAIT_SQL: &str = "SET SESSION innodb_lock_wait_timeout=10";
pub(super) const ISOLATION_LEVEL_SQL: &str =
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// Longest wait for a row lock on the money path, in seconds. Locks there are held for
/// milliseconds: a longer wait is a host that stands still, and its account fails alone.
pub(super) const LOCK_WAIT_S: u64 = 2;
/// Silence, in seconds, after which MariaDB ends a session that is within a transaction.
pub(super) const IDLE_TRANSACTION_S: u64 = 5;
/// The same for MySQL, which counts every silence alike.
pub(super) const WAIT_S: u64 = 10;

/// Added on the money path: a host that vanishes sends no FIN, and the server would keep
/// its session, with every row lock, until TCP gives up (2 h on Linux).
pub(super) fn money_path_sql() -> String {
    format!(
        "SET SESSION innodb_lock_wait_timeout={LOCK_WAIT_S}, wait_timeout={WAIT_S} \
         /*M!100300 , wait_timeout=60, idle_transaction_timeout={IDLE_TRANSACTION_S}, \
         idle_write_transaction_timeout={IDLE_TRANSACTION_S} */"
    )
}

/// Added in every other pool: a sidecar that vanishes holds its lease's row. Its audits
/// rest between two chunks for longer than the money path ever does.
pub(super) const POOL_SQL: &str =
    "SET SESSION wait_timeout=120 /*M!100300 , idle_write_transaction_timeout=10 */";

/// Idle connections of the money path are closed after this, before the server does it.
pub(super) const MAX_IDLE: Duration = Duration::from_secs(WAIT_S / 2);
