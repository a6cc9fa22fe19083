//! Restarts with a window of 24 hours in use: the written state is gone on from, and the count
//! is exact whoever ends how.

use crate::server::TestServer;
use crate::server::balances::{write_balance, write_token};
use crate::server::daemon::{DAEMON_TOKEN, SidecarProcess};
use crate::server::tail::schemas;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use serde_json::Value;
use sluice_drill::load::http::HttpConnection;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Says of a wrong balance how many rows its currency had within the day.
const DAY_RULE: &str = r#"//! id = "counts-the-day"
//! guards = "the day's rows are counted"
//! kind = "internal_logic"
//! severity = "minor"
//! mode = "alert"
//! breaker = "cash_out/account"
//! owner = "tests"
//! runbook = "none"
//! [trigger]
//! on = "window"
//! table = "balance"
//! ops = ["insert"]
//! key = ["currency"]
//! span_ms = 86400000
//! keep = "balance"

fn check(row, earlier) {
    let b = row.after;
    if b.balance != b.available + b.reserved {
        violation(b.account_id, `${earlier.count} ${earlier.sum}`, "counted")
    }
}
"#;

/// Rows before the first restart: far more than a row each is kept for.
const ROWS_BEFORE: u64 = 3_000;
/// Time for a condition to come.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The stage of one test: a server, its rows, and how many there are.
struct DayStage {
    server: TestServer,
    conn: Conn,
    rows: u64,
}

impl DayStage {
    async fn start(name: &str) -> DayStage {
        let server = TestServer::start(name, &[]).await;
        server.migrate(&schemas()).await;
        std::fs::create_dir_all(server.dir().join("rules")).unwrap();
        std::fs::write(server.dir().join("rules/counts-the-day.rhai"), DAY_RULE).unwrap();
        let conn = server.conn().await;
        DayStage {
            server,
            conn,
            rows: 0,
        }
    }

    fn sidecar(&self, name: &str, id: u32) -> SidecarProcess {
        let mysql = format!("url = '{}'\nserver_id = {id}", self.server.url());
        SidecarProcess::start(self.server.dir(), name, &mysql)
    }

    /// Rows that are right, in transactions of a hundred.
    async fn fill(&mut self, count: u64) {
        for _ in 0..count / 100 {
            let values: Vec<String> = (0..100)
                .map(|_| {
                    self.rows += 1;
                    format!("('g{:06}','CNY',10,6,4,1,0)", self.rows)
                })
                .collect();
            let sql = format!(
                "INSERT INTO t_balance.balance \
                 (account_id,currency,balance,available,reserved,version,updated_us) VALUES {}",
                values.join(",")
            );
            self.conn.query_drop(sql).await.unwrap();
        }
    }

    /// A wrong row, and what is said of it: count and sum of all before it.
    async fn counted(&mut self, sidecar: &SidecarProcess) {
        let before = self.rows;
        self.rows += 1;
        write_balance(&mut self.conn, self.rows, true)
            .await
            .unwrap();
        write_token(&mut self.conn, self.rows).await.unwrap();
        sidecar.until_token(self.rows).await;
        let sql = format!(
            "SELECT item FROM t_guard.verdict WHERE rule='counts-the-day' AND account_id='f{:06}'",
            self.rows
        );
        let said: Vec<String> = self.conn.query(sql).await.unwrap();
        assert_eq!(said.len(), 1, "{said:?}");
        let (count, sum) = said[0].split_once(' ').unwrap();
        let sum: rust_decimal::Decimal = sum.parse().unwrap();
        assert_eq!(
            (count.to_owned(), sum),
            (before.to_string(), (before * 10).into()),
            "log {}",
            sidecar.log.display()
        );
    }
}

/// The begin of the leadership as `/status` tells it.
async fn memory(sidecar: &SidecarProcess) -> Value {
    sidecar.until_ready(None).await;
    let mut http = HttpConnection::open(&format!("127.0.0.1:{}", sidecar.port))
        .await
        .unwrap();
    let request =
        format!("GET /status HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {DAEMON_TOKEN}\r\n\r\n");
    let (_, body) = http.exchange(request.as_bytes()).await.unwrap();
    let status: Value = serde_json::from_slice(body).unwrap();
    let found = status.pointer("/data/state/memory");
    found.unwrap_or_else(|| panic!("{status}")).clone()
}

/// Waits until a state is written that was frozen from now on.
async fn until_written(sidecar: &SidecarProcess, dir: &Path) {
    let file = dir.join("state/state");
    let modified = || {
        std::fs::metadata(&file)
            .and_then(|found| found.modified())
            .ok()
    };
    // One may be under way that was frozen before: the second one from here was not.
    for _ in 0..2 {
        let (before, begun) = (modified(), Instant::now());
        while modified() == before {
            assert!(begun.elapsed() < TIMEOUT, "log {}", sidecar.log.display());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_from_the_written_state_however_the_sidecar_ended() {
    let mut stage = DayStage::start("state").await;
    let dir = stage.server.dir().to_owned();
    let mut sidecar = stage.sidecar("first", 71);
    assert_eq!(
        memory(&sidecar).await["from"],
        "binlog",
        "nothing was written yet"
    );
    stage.fill(ROWS_BEFORE).await;
    stage.counted(&sidecar).await;
    until_written(&sidecar, &dir).await;
    // SIGKILL.
    stage.fill(200).await;
    sidecar.process.restart().unwrap();
    let found = memory(&sidecar).await;
    assert_eq!(found["from"], "state", "{found}");
    stage.counted(&sidecar).await;
    let found = memory(&sidecar).await;
    let replayed = found["replayedRows"].as_u64().unwrap();
    // Rows of checkpoints and tokens are among them.
    assert!(
        replayed < ROWS_BEFORE / 2,
        "the day was read again: {found}"
    );
    assert_eq!(found["anew"], serde_json::json!([]), "{found}");
    // SIGTERM: the last state stands at the last checkpoint.
    stage.fill(200).await;
    let ended = sidecar.process.terminate(TIMEOUT).await.unwrap();
    assert!(ended.success(), "{ended}; log {}", sidecar.log.display());
    sidecar.process.restart().unwrap();
    let found = memory(&sidecar).await;
    assert_eq!(
        (&found["from"], &found["replayedRows"]),
        (&"state".into(), &0.into()),
        "{found}"
    );
    stage.counted(&sidecar).await;
    // A standby takes over, and goes on from the same file.
    let standby = stage.sidecar("second", 72);
    standby.until_ready(Some("lease held by first")).await;
    stage.fill(200).await;
    let ended = sidecar.process.terminate(TIMEOUT).await.unwrap();
    assert!(ended.success(), "{ended}; log {}", sidecar.log.display());
    assert_eq!(memory(&standby).await["from"], "state");
    stage.counted(&standby).await;
}

/// Flips a bit in the middle of the file.
fn damage(dir: &Path) {
    let file = dir.join("state/state");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_cant_be_used_is_said_and_the_binlog_read_again() {
    let mut stage = DayStage::start("state-damaged").await;
    let dir = stage.server.dir().to_owned();
    let mut sidecar = stage.sidecar("first", 73);
    sidecar.until_ready(None).await;
    stage.fill(500).await;
    stage.counted(&sidecar).await;
    until_written(&sidecar, &dir).await;
    let old = std::fs::read(dir.join("state/state")).unwrap();
    stage.fill(300).await;
    stage.counted(&sidecar).await;
    for (spoil, reason) in [
        (Some(&damage as &dyn Fn(&Path)), "damaged or forged"),
        (
            Some(&|dir: &Path| std::fs::write(dir.join("state/state"), "x").unwrap()),
            "damaged",
        ),
        (
            Some(&|dir: &Path| std::fs::remove_file(dir.join("state/state")).unwrap()),
            "there is none",
        ),
        (None, ""),
    ] {
        sidecar.process.kill9().unwrap();
        match spoil {
            Some(spoil) => spoil(&dir),
            // Older than the checkpoint: read from there on.
            None => std::fs::write(dir.join("state/state"), &old).unwrap(),
        }
        sidecar.process.restart().unwrap();
        let found = memory(&sidecar).await;
        let refused = found["refused"].as_str().unwrap_or_default();
        assert!(refused.contains(reason), "{found}, not {reason}");
        assert_eq!(found["from"] == "state", spoil.is_none(), "{found}");
        stage.counted(&sidecar).await;
        until_written(&sidecar, &dir).await;
    }
}

/// Counts under load, killed again and again: no row is lost or counted twice.
#[tokio::test(flavor = "multi_thread")]
async fn kills_under_load_lose_and_double_no_row_of_the_day() {
    let mut stage = DayStage::start("state-kills").await;
    let mut sidecar = stage.sidecar("first", 74);
    sidecar.until_ready(None).await;
    let (stop, written) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let mut conn = stage.server.conn().await;
    let (stopped, count) = (Arc::clone(&stop), Arc::clone(&written));
    let writes = tokio::spawn(async move {
        while !stopped.load(Ordering::Acquire) {
            let number = count.fetch_add(1, Ordering::AcqRel) + 500_000;
            write_balance(&mut conn, number, number % 5 == 0)
                .await
                .unwrap();
        }
    });
    for life_ms in [300, 700, 200, 900, 500, 1_200] {
        tokio::time::sleep(Duration::from_millis(life_ms)).await;
        sidecar.process.restart().unwrap();
        sidecar.until_ready(None).await;
    }
    stop.store(true, Ordering::Release);
    writes.await.unwrap();
    stage.rows = written.load(Ordering::Acquire);
    stage.counted(&sidecar).await;
    // One row after the other: what is said of each wrong one is the number of those before.
    let sql = "SELECT account_id, item FROM t_guard.verdict WHERE rule='counts-the-day' AND account_id >= 'f500000'";
    let said: Vec<(String, String)> = stage.conn.query(sql).await.unwrap();
    let wrong = stage.rows.saturating_sub(1).div_ceil(5);
    assert_eq!(
        said.len() as u64,
        wrong - u64::from(wrong > 0 && first_is_alone(&said))
    );
    for (account, item) in said {
        let number: u64 = account[1..].parse().unwrap();
        let count = item.split(' ').next().unwrap();
        assert_eq!(count, (number - 500_000).to_string(), "{account}");
    }
}

/// Whether the very first row has no verdict: nothing came before it, so nobody was asked.
fn first_is_alone(said: &[(String, String)]) -> bool {
    !said.iter().any(|(account, _)| account == "f500000")
}

/// A sidecar takes over whose clock is ahead of the one before: it knows, and says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_ahead_of_the_last_one_is_seen() {
    let mut stage = DayStage::start("state-clock").await;
    let mut sidecar = stage.sidecar("first", 75);
    let lead = |memory: Value| memory["clockLeadUs"].as_i64().unwrap();
    assert_eq!(lead(memory(&sidecar).await), 0, "nobody led before");
    for ahead_us in [0, 10_000_000] {
        sidecar.process.kill9().unwrap();
        // As a clock that was so far behind would have written it.
        let sql = format!(
            "UPDATE t_guard.checkpoint SET updated_us = updated_us - {ahead_us}, server_time = server_time"
        );
        stage.conn.query_drop(sql).await.unwrap();
        sidecar.process.restart().unwrap();
        let lead = lead(memory(&sidecar).await) - ahead_us;
        assert!(lead.abs() < 1_000_000, "{lead} beside {ahead_us}");
    }
    let log = std::fs::read_to_string(&sidecar.log).unwrap();
    assert!(
        log.contains("this clock is ahead"),
        "log {}",
        sidecar.log.display()
    );
}
