//! Rules in shadow beside an armed one, over a real server: a rule that burns its limits holds
//! no token back, the others' findings come, and a kill is told as a gap.

use crate::server::TestServer;
use crate::server::balances::{write_balance, write_token};
use crate::server::daemon::SidecarProcess;
use crate::server::tail::schemas;
use mysql_async::prelude::Queryable;
use std::time::{Duration, Instant};

/// Long enough on the slowest machine.
const TEST_TIMEOUT: Duration = Duration::from_secs(30);

/// A rule in shadow that finds wrong balances, after some work on each.
fn in_shadow(id: &str, work: u32) -> String {
    format!(
        r#"//! id = "{id}"
//! guards = "balance is available plus reserved"
//! kind = "internal_logic"
//! severity = "minor"
//! mode = "shadow"
//! breaker = "cash_out/account"
//! owner = "tests"
//! runbook = "none"
//! [trigger]
//! on = "row"
//! table = "balance"
//! ops = ["insert"]

fn check(row) {{
    let sum = 0;
    for i in 0..{work} {{ sum += i; }}
    let b = row.after;
    if b.balance != b.available + b.reserved {{
        violation(b.account_id, b.currency, "balance is not available plus reserved")
    }}
}}
"#
    )
}

struct ShadowServer {
    server: TestServer,
}

impl ShadowServer {
    async fn start(name: &str, rules: &[(&str, u32)]) -> ShadowServer {
        let server = TestServer::start(name, &[]).await;
        server.migrate(&schemas()).await;
        let folder = server.dir().join("rules");
        std::fs::create_dir_all(&folder).unwrap();
        for (id, work) in rules {
            let file = folder.join(format!("{id}.rhai"));
            std::fs::write(file, in_shadow(id, *work)).unwrap();
        }
        ShadowServer { server }
    }

    fn sidecar(&self, name: &str) -> SidecarProcess {
        let mysql = format!("url = '{}'", self.server.url());
        SidecarProcess::start(self.server.dir(), name, &mysql)
    }

    /// Waits until the query's number is as wanted.
    async fn until(&self, sql: &str, wanted: impl Fn(i64) -> bool) -> i64 {
        let (begun, mut conn) = (Instant::now(), self.server.conn().await);
        loop {
            let found: Option<i64> = conn.query_first(sql).await.unwrap();
            match found {
                Some(found) if wanted(found) => return found,
                _ => {}
            }
            assert!(begun.elapsed() < TEST_TIMEOUT, "{sql}: {found:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn verdicts(rule: &str, account: &str) -> String {
        format!(
            "SELECT COUNT(*) FROM t_guard.verdict WHERE rule = '{rule}' AND account_id = '{account}'"
        )
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_burns_its_limits_holds_nothing_back() {
    let stage = ShadowServer::start("shadow", &[("slow", 2_000), ("cheap", 0)]).await;
    let sidecar = stage.sidecar("one");
    sidecar.until_ready(None).await;
    let mut conn = stage.server.conn().await;
    // Seconds of work for the slow rule in one transaction.
    let rows: Vec<String> = (0..5_000)
        .map(|n| format!("('b{n:06}','CNY',10,6,4,1,0)"))
        .collect();
    let sql = format!(
        "INSERT INTO t_balance.balance (account_id,currency,balance,available,reserved,version,updated_us) VALUES {}",
        rows.join(",")
    );
    conn.query_drop(sql).await.unwrap();
    for number in 1..=50 {
        write_balance(&mut conn, number, true).await.unwrap();
        write_token(&mut conn, number).await.unwrap();
        sidecar.until_token(number).await;
        let armed = ShadowServer::verdicts("balance-adds-up", &format!("f{number:06}"));
        let found: Option<i64> = conn.query_first(armed).await.unwrap();
        assert_eq!(found, Some(1), "told before its verdict");
    }
    let over = "sluice_sidecar_rule_over_budget_total{mode=\"shadow\",rule=\"slow\"}";
    sidecar.until_metric(over, |times| times >= 1.0).await;
    // The cheap one sees it too; of the slow one it is known that it has not.
    let cheap =
        "SELECT COUNT(*) FROM t_guard.verdict WHERE rule = 'cheap' AND account_id = 'f000050'";
    stage.until(cheap, |found| found == 1).await;
    let slow =
        "SELECT COUNT(*) FROM t_guard.rule_trial WHERE rule = 'slow' AND gap_cause = 'over_budget'";
    stage.until(slow, |found| found == 1).await;
    let cheap = "SELECT COUNT(*) FROM t_guard.rule_trial WHERE rule = 'cheap' AND evaluated_us > 0 AND COALESCE(gap_cause, '') <> 'over_budget'";
    stage.until(cheap, |found| found == 1).await;
    let opened = "SELECT COUNT(*) FROM t_guard.verdict WHERE rule <> 'balance-adds-up' AND (opened > 0 OR mode <> 'shadow')";
    stage.until(opened, |found| found == 0).await;
    let seconds = "sluice_sidecar_rule_evaluations_total{mode=\"trip\",rule=\"balance-adds-up\"}";
    sidecar
        .until_metric(seconds, |calls| calls >= 5_050.0)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_and_a_take_over_are_a_gap() {
    let stage = ShadowServer::start("shadow-kill", &[("cheap", 0)]).await;
    let mut first = stage.sidecar("one");
    first.until_ready(None).await;
    let trial =
        |column: &str| format!("SELECT {column} FROM t_guard.rule_trial WHERE rule = 'cheap'");
    let evaluated = stage.until(&trial("evaluated_us"), |us| us > 0).await;
    let since = stage.until(&trial("since_us"), |us| us > 0).await;
    first.process.kill9().unwrap();
    let mut conn = stage.server.conn().await;
    write_balance(&mut conn, 1, true).await.unwrap();
    let second = stage.sidecar("two");
    second.until_ready(None).await;
    // Committed while nobody looked: read again, and found.
    let cheap = ShadowServer::verdicts("cheap", "f000001");
    stage.until(&cheap, |found| found == 1).await;
    stage.until(&trial("gaps"), |gaps| gaps == 1).await;
    stage
        .until(&trial("evaluated_us"), |us| us > evaluated)
        .await;
    assert_eq!(stage.until(&trial("since_us"), |_| true).await, since);
    let gap = trial("gap_cause = 'not_running' AND gap_until_us > gap_from_us");
    assert_eq!(stage.until(&gap, |_| true).await, 1);
}
