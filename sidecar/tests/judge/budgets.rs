//! Budgets: past them a rule goes on as an alert.

use super::*;

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
