//! Budgets: past them a rule goes on as an alert.

use super::*;
use sluice_sidecar::breakers;

pub async fn a_rule_past_its_budget_goes_on_as_alert(set: &mut CommitterSetup) {
    let mut conn = set.server.conn().await;
    let rows: Vec<String> = (0..300)
        .map(|n| format!("('n-{n}','CNY',1,1,0,1)"))
        .collect();
    let sql = "INSERT INTO t_balance.balance (account_id,currency,balance,available,reserved,version) VALUES ";
    conn.query_drop(format!("{sql}{}", rows.join(",")))
        .await
        .unwrap();
    // 5 % of 300 accounts: the sixteenth is one too many. One that is open already counts for
    // nothing.
    let mut found: Vec<Verdict> = (0..20).map(|n| stops("noisy", &format!("n-{n}"))).collect();
    found.push(verdict("noisy", "n-299", "settlement/all/*"));
    set.commit(&found[..10]).await;
    set.commit(&[Verdict {
        verdict_id: "f".repeat(32),
        ..stops("noisy", "n-3")
    }])
    .await;
    assert_eq!(set.mode("noisy").await, "trip 0");
    set.commit(&found[10..]).await;
    assert_eq!(set.mode("noisy").await, "alert 1");
    let open = set.open().await;
    let stopped = open
        .iter()
        .filter(|name| name.starts_with("account/n-"))
        .count();
    // A verdict on everybody opens whatever the budget says.
    assert!(
        stopped == 15 && open.contains(&"all/*".to_owned()),
        "{open:?}"
    );
    // Evaluated before the new set was loaded: it opens nothing any more.
    set.commit(&[stops("noisy", "n-50")]).await;
    assert_eq!(set.open().await.len(), open.len());
    let late =
        set.texts("SELECT CONCAT(mode, ' ', breaker IS NULL) FROM t_guard.verdict WHERE account_id='n-50'").await;
    assert_eq!(late, ["alert 1"]);
    let by =
        set.texts("SELECT CONCAT(created_by, ': ', reason) FROM t_guard.rule_set ORDER BY version DESC LIMIT 1").await;
    assert!(
        by[0].starts_with("budget: noisy: it stopped 16 accounts"),
        "{by:?}"
    );
    conn.query_drop("DELETE FROM t_guard.breaker")
        .await
        .unwrap();
}

pub async fn errors_have_a_budget(set: &mut CommitterSetup) {
    let found: Vec<Verdict> = (0..105)
        .map(|n| Verdict {
            outcome: "undetermined",
            breakers: vec!["cash_out/account/n-100".parse().unwrap()],
            ..verdict("failing", &format!("e-{n}"), "")
        })
        .collect();
    set.commit(&found[..100]).await;
    assert_eq!(set.mode("failing").await, "trip 0");
    set.commit(&found[100..]).await;
    assert_eq!(set.mode("failing").await, "alert 1");
}

pub async fn what_is_not_known_is_no_mistake(set: &mut CommitterSetup) {
    let found: Vec<Verdict> = (0..105)
        .map(|n| Verdict {
            outcome: "undetermined",
            item: "unknown".to_owned(),
            ..stops("known", &format!("u-{n}"))
        })
        .collect();
    set.commit(&found[..60]).await;
    // Counted again from the database.
    set.commit(&found[60..]).await;
    assert_eq!(set.mode("known").await, "trip 0");
    let open = set.open().await;
    assert_eq!(
        open.iter()
            .filter(|name| name.starts_with("account/u-"))
            .count(),
        105,
        "{open:?}"
    );
    let seen = activity_repo::seen(&mut set.server.conn().await, &set.schemas, 0)
        .await
        .unwrap();
    let of = |rule: &str| {
        seen.get(&(rule.to_owned(), "0".repeat(16)))
            .map_or(0, |seen| seen.errors)
    };
    assert_eq!((of("known"), of("failing")), (0, 105));
}

pub async fn what_is_no_longer_armed_opens_nothing(set: &mut CommitterSetup) {
    let before = set.open().await;
    let mut conn = set.server.conn().await;
    let version = repo::active(&mut conn, &set.schemas).await.unwrap();
    let active = repo::read(&mut conn, &set.schemas, version)
        .await
        .unwrap()
        .unwrap();
    let next = sluice_sidecar::workflow::promotion_rules::demote(
        &active,
        "witness",
        RuleMode::Shadow,
        now_us(),
    )
    .unwrap();
    let why = PublishReason {
        by: "ann",
        reason: "down",
        content_of: None,
        at_us: now_us(),
    };
    assert!(
        put_in_force(&mut conn, &set.schemas, &next, &why)
            .await
            .unwrap()
    );
    set.commit(&[stops("witness", "n-200"), stops("never-was", "n-201")])
        .await;
    assert_eq!(set.open().await, before);
    let modes = set
        .texts("SELECT mode FROM t_guard.verdict WHERE account_id IN ('n-200','n-201')")
        .await;
    assert_eq!(modes, ["shadow", "shadow"]);
}

/// Fifty-one cheap findings must not end the strongest rule: past its budget it stops the point
/// for a while as well, and whoever it names until a person looks.
pub async fn a_critical_rule_past_its_budget_stays_armed(set: &mut CommitterSetup) {
    let mut conn = set.server.conn().await;
    let why = ("ann", "deleted by the test before");
    let seal = &set.committer.seal;
    breakers::accept_as_they_are(&mut conn, &set.schemas, seal, why, now_us())
        .await
        .unwrap();
    let found: Vec<Verdict> = (230..250)
        .map(|n| stops("vital", &format!("n-{n}")))
        .collect();
    set.commit(&found[..15]).await;
    assert!(!set.open().await.contains(&"all/*".to_owned()));
    set.commit(&found[15..]).await;
    assert_eq!(set.mode("vital").await, "trip 0");
    let open = set.open().await;
    let stopped = open.iter().filter(|name| name.starts_with("account/n-2"));
    assert_eq!(stopped.count(), 20, "{open:?}");
    assert!(open.contains(&"all/*".to_owned()), "{open:?}");
    let timed = "SELECT CONCAT(subject,'@',version,' ',made_by,' ',until_us > UNIX_TIMESTAMP()*1000000) FROM t_guard.timed_change";
    let wide = set.texts(timed).await;
    assert_eq!(wide.len(), 1, "{wide:?}");
    assert!(
        wide[0].starts_with("cash_out/all/*@") && wide[0].ends_with(" budget 1"),
        "{wide:?}"
    );
    // Its time is over: the point goes on, the accounts don't.
    conn.query_drop("UPDATE t_guard.timed_change SET until_us=1")
        .await
        .unwrap();
    taken_back(set, true).await;
    assert_eq!(set.open().await.len(), open.len() - 1);
    // Opened again, and something is found on it that names everybody: it stays open.
    set.commit(&[stops("vital", "n-250")]).await;
    set.commit(&[verdict("witness", "n-251", "cash_out/all/*")])
        .await;
    conn.query_drop("UPDATE t_guard.timed_change SET until_us=1")
        .await
        .unwrap();
    taken_back(set, false).await;
    assert_eq!(set.mode("vital").await, "trip 0");
    for sql in [
        "UPDATE t_guard.breaker SET state='closed'",
        "UPDATE t_guard.verdict SET life='answered'",
    ] {
        conn.query_drop(sql).await.unwrap();
    }
}

/// Takes back what is due; whether the point is closed then.
async fn taken_back(set: &CommitterSetup, closed: bool) {
    set.timed_changes().look().await.unwrap();
    assert_eq!(set.open().await.contains(&"all/*".to_owned()), !closed);
    let left = "SELECT subject FROM t_guard.timed_change";
    assert!(set.texts(left).await.is_empty());
}
