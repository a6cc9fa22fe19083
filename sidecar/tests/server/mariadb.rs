//! A MariaDB: installed and started.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use std::path::Path;
use std::process::{Child, Command, Stdio};

static INSTALL_LOCK: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

pub async fn install(dir: &Path) {
    let data = format!("--datadir={}", dir.join("data").display());
    // One at a time: side by side they ran out of what the kernel lends.
    let one_at_a_time = INSTALL_LOCK.lock().await;
    let installed = Command::new("mariadb-install-db")
        // Of its own: a server that starts clears away what lies there of others.
        .env("TMPDIR", dir)
        .args([
            "--no-defaults",
            "--auth-root-authentication-method=normal",
            "--user=root",
            &data,
        ])
        .output()
        .unwrap();
    drop(one_at_a_time);
    let said = String::from_utf8_lossy(&installed.stdout).into_owned()
        + &String::from_utf8_lossy(&installed.stderr);
    assert!(
        installed.status.success(),
        "mariadb-install-db failed: {said}"
    );
}

pub async fn hostname(conn: &mut Conn) -> String {
    conn.query_first("SELECT @@hostname")
        .await
        .unwrap()
        .unwrap_or_default()
}

pub fn spawn(dir: &Path, port: u16, extra: &[&str]) -> Child {
    let log = std::fs::File::create(dir.join("log")).unwrap();
    Command::new("mariadbd")
        .env("TMPDIR", dir)
        .arg("--no-defaults")
        .arg(format!("--datadir={}", dir.join("data").display()))
        .arg(format!("--socket={}", dir.join("s").display()))
        .arg(format!("--port={port}"))
        .args([
            "--bind-address=127.0.0.1",
            "--user=root",
            "--server-id=1",
            "--log-bin=bin",
            "--binlog-format=ROW",
        ])
        .args([
            "--binlog-row-image=FULL",
            "--binlog-row-metadata=FULL",
            "--sync-binlog=1",
        ])
        .args([
            "--innodb-flush-log-at-trx-commit=1",
            "--binlog-annotate-row-events=ON",
            "--max-allowed-packet=64M",
        ])
        .args(extra)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}
