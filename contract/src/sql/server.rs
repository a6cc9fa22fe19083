//! The server behind a connection: which one it is, and whether it serves the money path.

use crate::clock::now_us;
use crate::sql::session::{IDLE_TRANSACTION_S, LOCK_WAIT_S, WAIT_S};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, IoError};
use std::collections::HashMap;

const VARIABLES_SQL: &str = "SHOW SESSION VARIABLES WHERE Variable_name IN ('read_only','super_read_only',\
    'innodb_read_only','hostname','port','server_id','server_uuid','version','wait_timeout',\
    'idle_transaction_timeout','innodb_lock_wait_timeout')";
const UPTIME_SQL: &str = "SHOW GLOBAL STATUS LIKE 'Uptime'";

/// Two starts of a server are told apart by their times, which are whole seconds.
const START_TOLERANCE_S: i64 = 5;

/// One life of one server: another one may have forgotten the last commits.
#[derive(Debug, Clone)]
pub struct ServerIdentity {
    name: String,
    started_s: i64,
}

impl ServerIdentity {
    /// Tells whether both are the same life of the same server.
    pub fn is_same(&self, other: &ServerIdentity) -> bool {
        self.name == other.name
            && self.started_s.abs_diff(other.started_s) <= START_TOLERANCE_S as u64
    }
}

impl std::fmt::Display for ServerIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

/// Reads which server it is, and insists on one that can be written and that ends the
/// sessions of hosts that vanish.
///
/// # Errors
/// The server's, or what is wrong with it and the statement that mends it.
pub(super) async fn inspect(conn: &mut Conn) -> mysql_async::Result<ServerIdentity> {
    let rows: Vec<(String, String)> = conn.query(VARIABLES_SQL).await?;
    let variables: HashMap<String, String> = rows.into_iter().collect();
    let up: Option<(String, i64)> = conn.query_first(UPTIME_SQL).await?;
    let name = |key: &str| variables.get(key).cloned().unwrap_or_default();
    let identity = ServerIdentity {
        name: format!(
            "{}:{} (id {} {})",
            name("hostname"),
            name("port"),
            name("server_id"),
            name("server_uuid")
        ),
        started_s: now_us() / 1_000_000 - up.map_or(0, |(_, seconds)| seconds),
    };
    check(&variables).map_err(|why| unfit(format!("server {identity}: {why}")))?;
    Ok(identity)
}

/// Checks the variables; the error is a sentence with the next step.
fn check(variables: &HashMap<String, String>) -> Result<(), String> {
    let get = |name: &str| variables.get(name).map(String::as_str);
    for name in ["read_only", "super_read_only", "innodb_read_only"] {
        if get(name).is_some_and(|v| !matches!(v, "OFF" | "0")) {
            return Err(format!(
                "it only reads (@@{name} is on): a primary that was demoted? Point the setting's host at the \
                 primary, or there: SET GLOBAL {name}=0"
            ));
        }
    }
    let is_mariadb = get("version").is_some_and(|v| v.contains("MariaDB"));
    let (silence, bound) = if is_mariadb {
        ("idle_transaction_timeout", IDLE_TRANSACTION_S)
    } else {
        ("wait_timeout", WAIT_S)
    };
    for (name, most) in [(silence, bound), ("innodb_lock_wait_timeout", LOCK_WAIT_S)] {
        let now = get(name).and_then(|v| v.parse::<u64>().ok());
        if now.is_none_or(|seconds| seconds == 0 || seconds > most) {
            return Err(format!(
                "@@{name} is {} although this session asked for {most}: a host that vanishes would keep its locks. \
                 A proxy between must pass SET SESSION on, or: SET GLOBAL {name}={most}",
                get(name).unwrap_or("not there")
            ));
        }
    }
    Ok(())
}

/// An error after which another connection is tried: maybe another server answers then.
fn unfit(why: String) -> Error {
    Error::Io(IoError::Io(std::io::Error::other(why)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(changes: &[(&str, &str)]) -> Result<(), String> {
        let usual = [
            ("version", "10.11.6-MariaDB-log"),
            ("read_only", "OFF"),
            ("innodb_read_only", "OFF"),
            ("idle_transaction_timeout", "5"),
            ("wait_timeout", "60"),
            ("innodb_lock_wait_timeout", "2"),
        ];
        let all = usual.iter().chain(changes);
        check(
            &all.map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn a_server_that_only_reads_or_keeps_dead_sessions_is_left_with_the_next_step() {
        assert_eq!(checked(&[]), Ok(()));
        for (change, said) in [
            (("read_only", "ON"), "SET GLOBAL read_only=0"),
            (("super_read_only", "ON"), "SET GLOBAL super_read_only=0"),
            (("innodb_read_only", "1"), "innodb_read_only"),
            (
                ("idle_transaction_timeout", "0"),
                "SET GLOBAL idle_transaction_timeout=5",
            ),
            (
                ("innodb_lock_wait_timeout", "50"),
                "SET GLOBAL innodb_lock_wait_timeout=2",
            ),
            // MySQL knows no silence within a transaction alone.
            (("version", "8.0.36"), "SET GLOBAL wait_timeout=10"),
        ] {
            let error = checked(&[change]).unwrap_err();
            assert!(error.contains(said), "{change:?}: {error}");
        }
    }

    #[test]
    fn a_server_that_has_started_again_is_another() {
        let life = |name: &str, started_s| ServerIdentity {
            name: name.to_owned(),
            started_s,
        };
        let first = life("a:3306", 1_000_000);
        assert!(
            first.is_same(&life("a:3306", 1_000_002)),
            "read a moment later"
        );
        assert!(!first.is_same(&life("a:3306", 1_000_060)), "restarted");
        assert!(!first.is_same(&life("b:3306", 1_000_000)), "another host");
    }
}
