//! What a commit does with findings: suppressions, the mode in force, and budgets.

use crate::server::TestServer;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::clock::now_us;
use sluice_contract::schema::Schemas;
use sluice_contract::telemetry::Readiness;
use sluice_sidecar::active_rules::ActiveRuleSet;
use sluice_sidecar::fence::FencePublisher;
use sluice_sidecar::health::Health;
use sluice_sidecar::health::blind::Blind;
use sluice_sidecar::health::status::SidecarStatus;
use sluice_sidecar::leader::checkpoint_repo::CheckpointRow;
use sluice_sidecar::leader::lease_repo::{LEASE_TTL_US, acquire};
use sluice_sidecar::metrics::metrics;
use sluice_sidecar::pipeline::commit::BatchCommitter;
use sluice_sidecar::rules::{RuleFiles, RuleMode};
use sluice_sidecar::verdicts::Verdict;
use sluice_sidecar::workflow::folder_import::{RuleFolder, first};
use sluice_sidecar::workflow::promotion::activity_repo;
use sluice_sidecar::workflow::publish_repo::{self, PublishReason};
use sluice_sidecar::workflow::repo;
use sluice_sidecar::workflow::suppressions::Suppression;
use sluice_sidecar::workflow::suppressions::repo as suppressions_repo;
use std::time::Duration;

const RULE_IDS: [&str; 5] = ["noisy", "witness", "lonely", "failing", "known"];

fn rule(id: &str) -> String {
    format!(
        "//! id = \"{id}\"\n//! guards = \"g\"\n//! kind = \"duplicate\"\n//! severity = \"minor\"\n//! mode = \"trip\"\n\
         //! breaker = \"cash_out/account\"\n//! owner = \"o\"\n//! runbook = \"r\"\n\
         //! [trigger]\n//! on = \"row\"\n//! table = \"balance\"\n//! ops = [\"insert\"]\nfn check(row) {{}}\n"
    )
}

fn verdict(rule: &str, account: &str, breaker: &str) -> Verdict {
    Verdict {
        // One per rule and account, as the evaluator would make.
        verdict_id: format!(
            "{:032x}",
            rule.bytes()
                .chain(account.bytes())
                .fold(7_u128, |h, b| h * 131 % 1_000_000_007_777 + u128::from(b))
        ),
        rule: rule.to_owned(),
        rule_hash: "0".repeat(16),
        mode: "trip",
        outcome: "violation",
        position: "0-1-7".to_owned(),
        item: format!("item of {account}"),
        account_id: account.to_owned(),
        message: "wrong".to_owned(),
        breakers: if breaker.is_empty() {
            vec![]
        } else {
            vec![breaker.parse().unwrap()]
        },
        ..Verdict::default()
    }
}

fn stops(rule: &str, account: &str) -> Verdict {
    verdict(rule, account, &format!("cash_out/account/{account}"))
}

struct CommitterSetup {
    server: TestServer,
    schemas: Schemas,
    committer: BatchCommitter,
}

impl CommitterSetup {
    async fn up() -> CommitterSetup {
        let server = TestServer::start("judge", &[]).await;
        let schemas = Schemas::under("t").unwrap();
        server.migrate(&schemas).await;
        let mut conn = server.conn().await;
        let epoch = acquire(&mut conn, &schemas, "one", now_us(), LEASE_TTL_US)
            .await
            .unwrap()
            .unwrap();
        let texts = RULE_IDS.map(|id| (format!("{id}.rhai"), rule(id))).to_vec();
        let modes = RULE_IDS
            .map(|id| (id.to_owned(), RuleMode::Trip))
            .into_iter()
            .collect();
        let set = first(&RuleFolder::new(RuleFiles::of(texts), modes), now_us());
        let why = PublishReason {
            by: "test",
            reason: "first",
            content_of: None,
            at_us: now_us(),
        };
        assert!(
            publish_repo::put_in_force(&mut conn, &schemas, &set, &why)
                .await
                .unwrap()
        );
        assert!(
            !publish_repo::put_in_force(&mut conn, &schemas, &set, &why)
                .await
                .unwrap(),
            "somebody was first"
        );
        let blind = Blind::new(
            Readiness::default(),
            prometheus::IntGauge::new("j", "j").unwrap(),
        );
        let committer = BatchCommitter {
            pool: sluice_contract::sql::pool(&server.url(), 2).unwrap(),
            schemas: schemas.clone(),
            owner: "one".to_owned(),
            epoch,
            checkpoint: Duration::from_millis(500),
            fence: FencePublisher::new(blind.clone()),
            health: Health {
                blind,
                status: SidecarStatus::default(),
                metrics: metrics().unwrap(),
            },
            stop: Default::default(),
            binlog: CheckpointRow {
                source: "binlog".into(),
                position: "0-1-7".into(),
                replay_from: "0-1-5".into(),
            },
            also: Vec::new(),
            dead_letters: Default::default(),
            shadow: Default::default(),
            kafka: None,
            rules_hash: "1".repeat(16),
            rules: ActiveRuleSet::channel().1,
            split_books: false,
        };
        CommitterSetup {
            server,
            schemas,
            committer,
        }
    }

    async fn commit(&mut self, verdicts: &[Verdict]) {
        self.committer.commit(verdicts).await.unwrap();
    }

    async fn texts(&self, sql: &str) -> Vec<String> {
        self.server.conn().await.query(sql).await.unwrap()
    }

    async fn open(&self) -> Vec<String> {
        self.texts(
            "SELECT CONCAT(scope,'/',scope_key) FROM t_guard.breaker WHERE state='open' ORDER BY 1",
        )
        .await
    }

    async fn mode(&self, rule: &str) -> String {
        let sql = format!(
            "SELECT CONCAT(mode, ' ', demoted) FROM t_guard.rule_member WHERE rule='{rule}' \
             AND version=(SELECT MAX(version) FROM t_guard.rule_active)"
        );
        self.texts(&sql).await.remove(0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wins_at_the_commit() {
    let mut set = CommitterSetup::up().await;
    suppressed_by_key_cap_and_time(&mut set).await;
    a_rule_past_its_budget_goes_on_as_alert(&mut set).await;
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
        suppressions_repo::suppress(&mut conn, &set.schemas, &one)
            .await
            .unwrap();
    }
    assert!(
        suppressions_repo::revoke(&mut conn, &set.schemas, &format!("{:032x}", 3), "bob", now)
            .await
            .unwrap()
    );
    assert!(
        !suppressions_repo::revoke(&mut conn, &set.schemas, &format!("{:032x}", 2), "bob", now)
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

async fn a_rule_past_its_budget_goes_on_as_alert(set: &mut CommitterSetup) {
    let mut conn = set.server.conn().await;
    let rows: Vec<String> = (0..300)
        .map(|n| format!("('n-{n}','CNY',1,1,0,1)"))
        .collect();
    let sql = "INSERT INTO t_balance.balance (account_id,currency,balance,available,reserved,version) VALUES ";
    conn.query_drop(format!("{sql}{}", rows.join(",")))
        .await
        .unwrap();
    // 5 % of 300 accounts: the sixteenth is one too many. One that is open already counts for nothing.
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

async fn errors_have_a_budget(set: &mut CommitterSetup) {
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

async fn what_is_not_known_is_no_mistake(set: &mut CommitterSetup) {
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

async fn what_is_no_longer_armed_opens_nothing(set: &mut CommitterSetup) {
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
        publish_repo::put_in_force(&mut conn, &set.schemas, &next, &why)
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
