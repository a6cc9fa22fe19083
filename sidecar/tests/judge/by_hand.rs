//! Rows of the guard that somebody else wrote, and what commits, timed changes and
//! publications make of them.

use super::*;
use sluice_contract::breaker::BreakerState;
use sluice_sidecar::breakers::{self, BreakerMove};
use sluice_sidecar::guard_rows::mark::{MarkSealing, StoredMark};
use sluice_sidecar::verdicts::repo as verdict_repo;
use sluice_sidecar::workflow::{RuleSetVersion, acceptance, publish_repo};

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_row_closes_and_hides_nothing() {
    let mut set = CommitterSetup::up_as("by_hand").await;
    let rows = set.committer.seal.rows().clone();
    let mut conn = set.server.conn().await;
    rows.begin(&mut conn, &set.schemas, "", Some(7))
        .await
        .unwrap();
    assert!(rows.is_sealed());
    a_timed_change_closes_what_a_budget_opened_alone(&mut set).await;
    a_finding_that_was_written_before_it_stops_all_the_same(&mut set).await;
    nothing_is_built_on_half_a_set(&set).await;
    a_mark_that_is_not_genuine_is_no_missing_one(&set).await;
}

async fn moved(set: &CommitterSetup, breaker: &str, to: BreakerState, by: &str) {
    let mut conn = set.server.conn().await;
    let wanted = BreakerMove {
        key: breaker.parse().unwrap(),
        to,
        verdict_id: None,
        reason: "a test".to_owned(),
        by: by.to_owned(),
        at_us: now_us(),
    };
    let seal = &set.committer.seal;
    breakers::apply(&mut conn, &set.schemas, seal, &wanted)
        .await
        .unwrap();
}

async fn done(set: &CommitterSetup, sql: &str) {
    set.server.conn().await.query_drop(sql).await.unwrap();
}

fn is_open(open: &[String], breaker: &str) -> bool {
    open.iter().any(|name| name == breaker)
}

async fn a_timed_change_closes_what_a_budget_opened_alone(set: &mut CommitterSetup) {
    moved(set, "cash_out/account/p-1", BreakerState::Open, "ann").await;
    for account in ["p-2", "p-3"] {
        let breaker = format!("cash_out/account/{account}");
        moved(set, &breaker, BreakerState::Open, "budget").await;
    }
    set.commit(&[stops("witness", "p-2")]).await;
    done(set, "UPDATE t_guard.verdict SET life='answered'").await;
    let standing = "INSERT INTO t_guard.audit_finding (finding_id,rule,verdict_id,since_us) \
                    SELECT verdict_id,rule,verdict_id,1 FROM t_guard.verdict WHERE account_id='p-2'";
    done(set, standing).await;
    // Rows that name nothing come first, and hold nobody up.
    for (kind, subject) in [
        ("other", "cash_out/account/p-1"),
        ("breaker", "nonsense"),
        ("breaker", "cash_out/account/p-1"),
        ("breaker", "cash_out/account/p-2"),
        ("breaker", "cash_out/account/p-3"),
    ] {
        let until_us = i64::from(kind == "breaker" && subject != "nonsense");
        let sql = format!(
            "INSERT INTO t_guard.timed_change (kind,subject,version,until_us,made_by,reason) \
             VALUES ('{kind}','{subject}','1',{until_us},'budget','a test')"
        );
        done(set, &sql).await;
    }
    set.timed_changes().look().await.unwrap();
    let open = set.open().await;
    assert!(is_open(&open, "account/p-1"), "a person opened it");
    assert!(is_open(&open, "account/p-2"), "a difference stands");
    assert!(!is_open(&open, "account/p-3"), "{open:?}");
}

async fn a_finding_that_was_written_before_it_stops_all_the_same(set: &mut CommitterSetup) {
    let mut conn = set.server.conn().await;
    for (id, life) in [(1, "answered"), (2, "open")] {
        let point = ["refund", "cash_out"][id - 1];
        let found = Verdict {
            verdict_id: format!("{id:032x}"),
            ..verdict("guard_row", "", &format!("{point}/all/*"))
        };
        let found = [found];
        verdict_repo::insert(&mut conn, &set.schemas, &found, now_us())
            .await
            .unwrap();
        let sql = format!("UPDATE t_guard.verdict SET life='{life}' WHERE verdict_id='{id:032x}'");
        done(set, &sql).await;
        let stopped =
            format!("SELECT state FROM t_guard.breaker WHERE point='{point}' AND scope='all'");
        set.commit(&found).await;
        assert_eq!(set.texts(&stopped).await, ["open"], "{life}");
        // A person resets it: told again, it is no news.
        moved(set, &format!("{point}/all/*"), BreakerState::Closed, "ann").await;
        done(set, "UPDATE t_guard.verdict SET life='answered'").await;
        set.commit(&found).await;
        assert_eq!(set.texts(&stopped).await, ["closed"], "{life}");
    }
}

async fn nothing_is_built_on_half_a_set(set: &CommitterSetup) {
    let mut conn = set.server.conn().await;
    let rows = set.committer.seal.rows();
    let version = repo::active(&mut conn, &set.schemas).await.unwrap();
    let whole = repo::read(&mut conn, &set.schemas, version).await.unwrap();
    let next = RuleSetVersion::new(version + 1, whole.unwrap().members);
    let why = PublishReason {
        by: "ann",
        reason: "a test",
        content_of: None,
        at_us: now_us(),
    };
    done(set, "DELETE FROM t_guard.rule_member WHERE rule='known'").await;
    let refused = publish_repo::put_in_force(&mut conn, &set.schemas, rows, &next, &why).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("missing or were changed"), "{refused}");
    let db = set.timed_changes().db;
    let sealing = MarkSealing {
        position: "",
        by: "ann",
        arms_entries: false,
    };
    acceptance::accept(&mut conn, &db, "looked at", sealing, now_us())
        .await
        .unwrap();
    assert_eq!(
        rows.entries_from_us(),
        Some(7),
        "sealing anew moves it no later"
    );
    let put = publish_repo::put_in_force(&mut conn, &set.schemas, rows, &next, &why).await;
    assert!(put.unwrap());
}

async fn a_mark_that_is_not_genuine_is_no_missing_one(set: &CommitterSetup) {
    let mut conn = set.server.conn().await;
    done(set, "UPDATE t_guard.guard_seal SET sealed_by='mallory'").await;
    let fresh = guard_rows();
    let stored = fresh.begin(&mut conn, &set.schemas, "0-1-7", None).await;
    let stored = stored.unwrap();
    assert_eq!(stored, StoredMark::Foreign);
    assert!(fresh.is_sealed(), "every row must be signed");
    assert_eq!(
        fresh.entries_from_us(),
        None,
        "what nobody signed says nothing"
    );
    done(set, "DELETE FROM t_guard.guard_seal").await;
    let fresh = guard_rows();
    let stored = fresh.begin(&mut conn, &set.schemas, "0-1-7", None).await;
    let stored = stored.unwrap();
    assert_eq!(stored, StoredMark::Missing);
    fresh.learn_copy(2, "0-1-5".to_owned(), Some(7));
    assert!(fresh.is_sealed(), "this host's copy remembers it");
    assert_eq!(fresh.entries_from_us(), Some(7));
    let fault = fresh.check_mark(&mut conn, &set.schemas).await.unwrap();
    assert_eq!(fault, Some("it is gone"), "the next audit says so");
}
