//! A rule's way through the whole system, by the commands that people use: an edit
//! survives a killed sidecar, runs beside the armed version, and two people arm it.

use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::clock::now_us;
use sluice_contract::event::{BusinessEvent, DEPOSIT_RECEIVED};
use sluice_drill::faults::injection;
use sluice_drill::setup::copy_dir;
use sluice_drill::setup::process::binary;
use sluice_drill::setup::secrets::random_hex;
use sluice_tests::{TestStage, options, seed};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const RULE_ID: &str = "balance_adds_up";

/// The shipped rules in a folder that may be edited.
fn copied(from: &Path) -> anyhow::Result<TempDir> {
    let rules = tempfile::tempdir()?;
    copy_dir(from, rules.path())?;
    Ok(rules)
}

/// What `sluice rules …` prints, or its error, under a person's name.
async fn sluice(
    set: &TestStage,
    person: &str,
    words: &[&str],
) -> anyhow::Result<Result<String, String>> {
    let ran = tokio::process::Command::new(binary("sluice")?)
        .arg("rules")
        .args(words)
        .args(["--sidecar", &set.stage.ports.url(set.stage.ports.sidecar)])
        .arg("--token-file")
        .arg(set.stage.dir.join("secrets/people").join(person))
        .output()
        .await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(if ran.status.success() {
        Ok(text(&ran.stdout))
    } else {
        Err(text(&ran.stderr))
    })
}

async fn done(set: &TestStage, person: &str, words: &[&str]) -> anyhow::Result<String> {
    sluice(set, person, words)
        .await?
        .map_err(|error| anyhow::anyhow!("{words:?}: {error}"))
}

/// Waits for a line of the list that begins so, with another hash than that; its words.
async fn listed(set: &TestStage, begins: &str, other_than: &str) -> anyhow::Result<Vec<String>> {
    let begun = Instant::now();
    loop {
        let list = sluice(set, "ann", &["list"])
            .await?
            .unwrap_or_else(|error| error);
        let line = list
            .lines()
            .find_map(|line| line.strip_prefix(begins))
            .unwrap_or_default();
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        if words.first().is_some_and(|hash| hash != other_than) {
            return Ok(words);
        }
        ensure!(
            begun.elapsed() < Duration::from_secs(20),
            "{begins} is not in {list}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn numbers(set: &TestStage, sql: &str) -> anyhow::Result<Vec<i64>> {
    let sql = sql.replace("guard", &set.stage.schemas.guard);
    Ok(set.stage.pool.get_conn().await?.query(sql).await?)
}

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::print_stdout)]
async fn an_edit_survives_kills_and_is_armed_by_two() -> anyhow::Result<()> {
    let seed = seed();
    println!("seed: {seed} (set SLUICE_SEED to play it again)");
    let mut options = options();
    let rules = copied(&options.rules)?;
    options.rules = rules.path().to_owned();
    let mut set = TestStage::up(options).await?;
    let people = set.stage.dir.join("secrets/people");
    std::fs::create_dir_all(&people)?;
    for person in ["ann", "bob"] {
        std::fs::write(people.join(person), random_hex())?;
    }

    // Whatever is shipped can be armed: its cases pass and have seen every branch.
    listed(&set, &format!("{RULE_ID} "), "").await?;
    let list = done(&set, "ann", &["list"]).await?;
    let unready = list
        .lines()
        .filter(|line| line.contains("no case") || line.contains("case \""))
        .collect::<Vec<_>>();
    ensure!(unready.is_empty(), "{unready:?}");

    // Killed at any moment around an edit: the set is whole, and the edit is in it once.
    let file = rules.path().join(format!("{RULE_ID}.rhai"));
    let good = std::fs::read_to_string(&file)?;
    let mut sidecar = set
        .stage
        .sidecar
        .take()
        .context("the stage has a sidecar")?;
    let mut hash = String::new();
    for turn in 0..2_u64 {
        std::fs::write(&file, format!("{good}\n// turn {turn}\n"))?;
        tokio::time::sleep(Duration::from_millis((seed >> (8 * turn)) % 400)).await;
        sidecar.kill9()?;
        sidecar.restart()?;
        hash = listed(&set, &format!("└ edited: {RULE_ID}"), &hash)
            .await?
            .remove(0);
    }
    set.everything_is_evaluated().await?;
    let versions = numbers(&set, "SELECT version FROM guard.rule_set ORDER BY version").await?;
    let last = versions.len() as i64;
    ensure!(
        versions == (1..=last).collect::<Vec<_>>() && last <= 3,
        "{versions:?}"
    );
    let held = numbers(
        &set,
        "SELECT COUNT(*) FROM guard.rule_member GROUP BY version ORDER BY version",
    )
    .await?;
    ensure!(held[1..].iter().all(|n| *n == held[0] + 1), "{held:?}");

    // Both versions see the fault, one verdict each; the armed one alone stops it.
    let account = "RULES1";
    injection::fund(&set.stage, account, Decimal::from(10_000)).await?;
    break_balance(&set, account).await?;
    let begun = Instant::now();
    let ids = loop {
        let sql = format!(
            "SELECT verdict_id FROM {}.verdict WHERE rule='{RULE_ID}' AND account_id='{account}' ORDER BY mode DESC",
            set.stage.schemas.guard
        );
        let ids: Vec<String> = set.stage.pool.get_conn().await?.query(sql).await?;
        if ids.len() == 2 {
            break ids;
        }
        ensure!(
            begun.elapsed() < Duration::from_secs(20),
            "{:?}",
            set.verdicts().await?
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let armed = done(&set, "ann", &["explain", &ids[0]]).await?;
    for part in [
        "A balance is what is available",
        "it stops money",
        account,
        "cash_out/account/",
        "now open",
        "What to do",
    ] {
        ensure!(armed.contains(part), "{part} is not in:\n{armed}");
    }
    let shadow = done(&set, "ann", &["explain", &ids[1]]).await?;
    ensure!(
        shadow.contains("on trial") && shadow.contains("Stopped   nothing"),
        "{shadow}"
    );

    two_people(&set, &hash).await
}

/// By hand: less available than the balance says.
async fn break_balance(set: &TestStage, account: &str) -> anyhow::Result<()> {
    let sql = format!(
        "UPDATE {}.balance SET available=available-1 WHERE account_id=?",
        set.stage.schemas.balance
    );
    Ok(set
        .stage
        .pool
        .get_conn()
        .await?
        .exec_drop(sql, (account,))
        .await?)
}

async fn two_people(set: &TestStage, hash: &str) -> anyhow::Result<()> {
    let promote = [
        "promote", RULE_ID, "--to", "trip", "--hash", hash, "--reason", "clearer",
    ];
    let told = done(set, "ann", &promote).await?;
    ensure!(
        told.contains(&format!(
            "sluice rules approve {RULE_ID} --to trip --hash {hash}"
        )),
        "{told}"
    );
    let approve = ["approve", RULE_ID, "--to", "trip", "--hash", hash];
    let own = sluice(set, "ann", &approve)
        .await?
        .err()
        .unwrap_or_default();
    ensure!(own.contains("a second person must approve"), "{own}");
    done(set, "bob", &approve).await?;
    let now = listed(set, &format!("{RULE_ID} "), "").await?;
    ensure!(
        now.starts_with(&[hash.to_owned(), "trip".to_owned()]),
        "{now:?}"
    );
    let sets = done(set, "bob", &["sets"]).await?;
    ensure!(sets.contains("proposed by ann: clearer"), "{sets}");
    done(set, "bob", &["rollback", "1", "--reason", "as it was"]).await?;
    let made = done(
        set,
        "bob",
        &[
            "suppress",
            RULE_ID,
            "A-1",
            "--amount-cap",
            "10.00",
            "--for",
            "2h",
            "--reason",
            "a known difference",
        ],
    );
    ensure!(
        made.await?.contains("unsuppress"),
        "no suppression was made"
    );
    let long = [
        "suppress",
        RULE_ID,
        "A-1",
        "--amount-cap",
        "10.00",
        "--for",
        "8d",
        "--reason",
        "x",
    ];
    let refused = sluice(set, "bob", &long).await?.err().unwrap_or_default();
    ensure!(refused.contains("at most 7 days"), "{refused}");
    let all = done(set, "bob", &["suppressions"]).await?;
    ensure!(all.contains("IN FORCE") && all.contains("0 of 10"), "{all}");
    for (rule, why) in [
        ("balance_ads_up", "there is no rule"),
        ("provenance", "name no amount"),
    ] {
        let none = [
            "suppress",
            rule,
            "A-1",
            "--amount-cap",
            "10.00",
            "--for",
            "2h",
            "--reason",
            "x",
        ];
        let refused = sluice(set, "bob", &none).await?.err().unwrap_or_default();
        ensure!(refused.contains(why), "{refused}");
    }
    what_is_suppressed_stops_nobody(set).await
}

/// A shipped rule's finding up to the cap, and one beyond it.
async fn what_is_suppressed_stops_nobody(set: &TestStage) -> anyhow::Result<()> {
    let (account, rule) = ("RULES2", "deposit_is_booked");
    let cap = [
        "suppress",
        rule,
        account,
        "--amount-cap",
        "100.00",
        "--for",
        "2h",
        "--reason",
        "a late batch",
    ];
    done(set, "ann", &cap).await?;
    for (turn, open) in [(1, 0), (2, 1)] {
        let id = format!("never-booked-{turn}");
        let event = BusinessEvent {
            id: id.clone(),
            kind: DEPOSIT_RECEIVED.into(),
            account_id: account.into(),
            biz_no: id,
            amount: Decimal::from(60),
            currency: "CNY".into(),
            occurred_us: now_us(),
        };
        set.stage.events.queue(&event).await?;
        set.stage.events.flush(Duration::from_secs(10)).await?;
        let begun = Instant::now();
        let found = format!(
            "SELECT COUNT(*) FROM guard.verdict WHERE rule='{rule}' AND account_id='{account}'"
        );
        while numbers(set, &found).await? != [turn] {
            ensure!(
                begun.elapsed() < Duration::from_secs(30),
                "{:?}",
                set.verdicts().await?
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let stopped = format!(
            "SELECT COUNT(DISTINCT scope_key) FROM guard.breaker WHERE scope_key='{account}'"
        );
        ensure!(
            numbers(set, &stopped).await? == [open],
            "turn {turn}: {:?}",
            set.verdicts().await?
        );
    }
    let all = done(set, "ann", &["suppressions"]).await?;
    ensure!(all.contains("60.0000 of 100.0000"), "{all}");
    Ok(())
}
