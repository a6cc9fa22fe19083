//! A commit's judgement of findings: suppressions, the mode in force, and budgets.

mod budgets;
mod by_hand;
mod setup;

use crate::server::TestServer;
use crate::server::signed::{acquire, guard_rows, put_in_force, revoke, suppress};
use budgets::*;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use setup::*;
use sluice_contract::clock::now_us;
use sluice_contract::schema::Schemas;
use sluice_contract::telemetry::Readiness;
use sluice_sidecar::active_rules::ActiveRuleSet;
use sluice_sidecar::fence::FencePublisher;
use sluice_sidecar::health::Health;
use sluice_sidecar::health::blind::Blind;
use sluice_sidecar::health::status::SidecarStatus;
use sluice_sidecar::leader::checkpoint_repo::CheckpointRow;
use sluice_sidecar::leader::lease_repo::LEASE_TTL_US;
use sluice_sidecar::leader::local_checkpoint::LocalCheckpoint;
use sluice_sidecar::metrics::metrics;
use sluice_sidecar::pipeline::commit::BatchCommitter;
use sluice_sidecar::rules::{RuleFiles, RuleMode};
use sluice_sidecar::verdicts::Verdict;
use sluice_sidecar::workflow::folder_import::{RuleFolder, first};
use sluice_sidecar::workflow::promotion::activity_repo;
use sluice_sidecar::workflow::publish_repo::PublishReason;
use sluice_sidecar::workflow::repo;
use sluice_sidecar::workflow::suppressions::Suppression;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn who_wins_at_the_commit() {
    let mut set = CommitterSetup::up().await;
    suppressed_by_key_cap_and_time(&mut set).await;
    a_rule_past_its_budget_goes_on_as_alert(&mut set).await;
    a_critical_rule_past_its_budget_stays_armed(&mut set).await;
    what_others_see_too_stops_everybody(&mut set).await;
    errors_have_a_budget(&mut set).await;
    what_is_not_known_is_no_mistake(&mut set).await;
    what_is_no_longer_armed_opens_nothing(&mut set).await;
}

async fn suppressed_by_key_cap_and_time(set: &mut CommitterSetup) {
    let now = now_us();
    let suppression = |id: u8, key: &str, expires_us: i64| Suppression {
        id: format!("{id:032x}"),
        rule: "known".to_owned(),
        key: key.to_owned(),
        reason: "a test".to_owned(),
        author: "ann".to_owned(),
        amount_cap: Decimal::from(8),
        amount_used: Decimal::ZERO,
        hits: 0,
        created_us: now,
        expires_us,
        revoked_us: None,
    };
    let mut conn = set.server.conn().await;
    for one in [
        suppression(1, "s-1", now + 60_000_000),
        suppression(2, "s-2", now - 1),
        suppression(3, "s-3", now + 60_000_000),
    ] {
        suppress(&mut conn, &set.schemas, &one).await.unwrap();
    }
    assert!(
        revoke(&mut conn, &set.schemas, &format!("{:032x}", 3), "bob", now)
            .await
            .unwrap()
    );
    assert!(
        !revoke(&mut conn, &set.schemas, &format!("{:032x}", 2), "bob", now)
            .await
            .unwrap()
    );
    let of = |account: &str, item: &str, amount: Option<i64>| Verdict {
        verdict_id: format!("{account:>16}{item:>16}").replace(' ', "0"),
        item: item.to_owned(),
        amount: amount.map(Decimal::from),
        ..stops("known", account)
    };
    let found = [
        of("s-1", "a", Some(5)),    // within the cap
        of("s-4", "s-1", Some(-3)), // by item: the cap is used up
        of("s-5", "s-1", Some(1)),  // past the cap
        of("s-6", "s-1", None),     // nobody knows how much
        of("s-2", "a", Some(1)),    // expired
        of("s-3", "a", Some(1)),    // revoked
        Verdict {
            mode: "shadow",
            breakers: vec![],
            ..of("s-1", "b", Some(1))
        },
    ];
    // Told twice: counted once.
    set.commit(&found).await;
    set.commit(&found).await;
    assert_eq!(
        set.open().await,
        ["account/s-2", "account/s-3", "account/s-5", "account/s-6"]
    );
    let hits =
        set.texts("SELECT CONCAT(hits, ' ', amount_used) FROM t_guard.suppression WHERE finding_key='s-1'").await;
    assert_eq!(hits, ["2 8.0000"]);
    let marked = "SELECT CONCAT(account_id, ' ', mode, ' ', opened) FROM t_guard.verdict WHERE suppression IS NOT NULL ORDER BY 1";
    assert_eq!(set.texts(marked).await, ["s-1 trip 0", "s-4 trip 0"]);
}

async fn what_others_see_too_stops_everybody(set: &mut CommitterSetup) {
    let witness = (100..120).map(|n| Verdict {
        mode: "alert",
        ..verdict("witness", &format!("n-{n}"), "")
    });
    set.commit(&witness.collect::<Vec<_>>()).await;
    let found: Vec<Verdict> = (100..120)
        .map(|n| stops("lonely", &format!("n-{n}")))
        .collect();
    set.commit(&found).await;
    assert!(
        set.open().await.contains(&"all/*".to_owned()),
        "a real incident must stop money"
    );
    assert_eq!(set.mode("lonely").await, "trip 0");
}
