//! The sidecar as a process of its own, so that it can be killed.
#![allow(dead_code)] // Each test file uses its part.
#![allow(clippy::unwrap_used)] // A test may panic.

use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_contract::wire::FenceLine;
use sluice_drill::load::http;
use sluice_drill::setup::{ChildProcess, ProgramSpec};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

const DAEMON_TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Finds an account whose balance is not what its parts are.
pub const BALANCE_RULE: &str = r#"//! id = "balance-adds-up"
//! guards = "balance is available plus reserved"
//! kind = "internal_logic"
//! severity = "critical"
//! mode = "trip"
//! breaker = "cash_out/account"
//! owner = "tests"
//! runbook = "none"
//! # A test has few accounts, and wants all of them stopped.
//! [budget]
//! trips_per_hour = 10000
//! accounts_percent = 100
//! [trigger]
//! on = "row"
//! table = "balance"
//! ops = ["insert", "update"]

fn check(row) {
    let b = row.after;
    if b.balance != b.available + b.reserved {
        violation(b.account_id, b.currency, "balance is not available plus reserved")
    }
}
"#;

pub struct SidecarProcess {
    pub port: u16,
    pub process: ChildProcess,
    pub log: PathBuf,
}

impl SidecarProcess {
    /// Starts one; `mysql` are the lines of that table of the settings.
    pub fn start(dir: &Path, name: &str, mysql: &str) -> SidecarProcess {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        std::fs::create_dir_all(dir.join("rules")).unwrap();
        std::fs::write(dir.join("rules/balance-adds-up.rhai"), BALANCE_RULE).unwrap();
        for secret in ["provenance_key", "sidecar_token"] {
            std::fs::write(dir.join(secret), DAEMON_TOKEN).unwrap();
        }
        let text = format!(
            "listen = '127.0.0.1:{port}'\nrules_dir = '{0}/rules'\nsecrets_dir = '{0}'\ninstance = '{name}'\n\
             checkpoint_interval_ms = 100\n[mysql]\ndatabase = 't'\n{mysql}\n",
            dir.display(),
        );
        let file = dir.join(format!("{name}.toml"));
        std::fs::write(&file, text).unwrap();
        let log = dir.join(format!("{name}.log"));
        let sidecar = PathBuf::from(env!("CARGO_BIN_EXE_sluice-sidecar"));
        let process =
            ChildProcess::spawn(ProgramSpec::at(sidecar, "sluice-sidecar", &log).arg(file))
                .unwrap();
        SidecarProcess { port, process, log }
    }

    pub async fn get(&self, path: &str) -> Option<String> {
        let (_, body) = http::get(&format!("127.0.0.1:{}", self.port), path)
            .await
            .ok()?;
        Some(String::from_utf8_lossy(&body).into_owned())
    }

    /// The value of one line of `/metrics`.
    pub async fn metric(&self, name: &str) -> Option<f64> {
        let metrics = self.get("/metrics").await?;
        metrics
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }

    /// Waits until that line's value is as wanted.
    pub async fn until_metric(&self, name: &str, wanted: impl Fn(f64) -> bool) {
        let begun = Instant::now();
        loop {
            let value = self.metric(name).await;
            if value.is_some_and(&wanted) {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{name} is {value:?}; log {}",
                self.log.display()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until `/ready` says 200, or, if `reason` is given, says that.
    pub async fn until_ready(&self, reason: Option<&str>) {
        let begun = Instant::now();
        loop {
            let answer = http::get(&format!("127.0.0.1:{}", self.port), "/ready").await;
            let said =
                answer.map(|(status, body)| (status, String::from_utf8_lossy(&body).into_owned()));
            match (&said, reason) {
                (Ok((200, _)), None) => return,
                (Ok((_, body)), Some(reason)) if body.contains(reason) => return,
                _ => {}
            }
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{said:?}, not {reason:?}; log {}",
                self.log.display()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn fence(&self) -> Option<FenceLineReader> {
        FenceLineReader::open(self.port).await
    }
}

/// The fence's stream of core `core-1`.
pub struct FenceLineReader(BufReader<TcpStream>);

impl FenceLineReader {
    pub async fn open(port: u16) -> Option<FenceLineReader> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        let request = format!(
            "GET /fence/core-1 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {DAEMON_TOKEN}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.ok()?;
        Some(FenceLineReader(BufReader::new(stream)))
    }

    /// The next line; None if the stream ended.
    pub async fn line(&mut self) -> Option<FenceLine> {
        loop {
            let mut text = String::new();
            let read =
                tokio::time::timeout(Duration::from_secs(10), self.0.read_line(&mut text)).await;
            if !matches!(read, Ok(Ok(1..))) {
                return None;
            }
            if text.starts_with('{')
                && let Ok(line) = serde_json::from_str(&text)
            {
                return Some(line);
            }
        }
    }

    /// Waits for this token, seeing.
    pub async fn until(&mut self, token: u64) {
        let begun = Instant::now();
        loop {
            let line = self.line().await.expect("the fence's stream ended");
            if line.token >= token && line.blind.is_none() {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "last line: {line:?}, not {token}"
            );
        }
    }
}

/// Raises the token of core `core-1`.
pub async fn write_token(conn: &mut mysql_async::Conn, token: u64) -> mysql_async::Result<()> {
    let sql = format!(
        "INSERT INTO t_guard.fence_token (instance,token,updated_us) VALUES ('core-1',{token},{}) \
         ON DUPLICATE KEY UPDATE token=VALUES(token), updated_us=VALUES(updated_us)",
        now_us()
    );
    conn.query_drop(sql).await
}

/// A row of a balance that adds up, or doesn't; the account's name counts them.
pub async fn write_balance(
    conn: &mut mysql_async::Conn,
    number: u64,
    wrong: bool,
) -> mysql_async::Result<()> {
    let (kind, available) = if wrong { ("f", 5) } else { ("g", 6) };
    let sql = format!(
        "INSERT INTO t_balance.balance (account_id,currency,balance,available,reserved,version,updated_us) \
         VALUES ('{kind}{number:06}','CNY',10,{available},4,1,0)"
    );
    conn.query_drop(sql).await
}

/// Verdicts of wrong balances up to this number, and on how many accounts.
pub async fn verdicts(conn: &mut mysql_async::Conn, up_to: u64) -> (u64, u64) {
    let sql = format!(
        "SELECT COUNT(*), COUNT(DISTINCT account_id) FROM t_guard.verdict WHERE account_id <= 'f{up_to:06}' \
         AND rule = 'balance-adds-up'"
    );
    conn.query_first(sql).await.unwrap().unwrap()
}
