//! A committer with five rules in force.

use super::*;
use sluice_contract::settings::Secret;
use sluice_sidecar::binlog::hosts::ServerHosts;
use sluice_sidecar::breakers::seal::BreakerSeal;
use sluice_sidecar::leader::guard_db::GuardDb;
use sluice_sidecar::workflow::timed::TimedChanges;
use std::sync::Arc;

pub const RULE_IDS: [&str; 6] = ["noisy", "witness", "lonely", "failing", "known", "vital"];

pub fn rule(id: &str) -> String {
    format!(
        "//! id = \"{id}\"\n//! guards = \"g\"\n//! kind = \"duplicate\"\n\
         //! severity = \"{}\"\n//! mode = \"trip\"\n\
         //! breaker = \"cash_out/account\"\n//! owner = \"o\"\n//! runbook = \"r\"\n\
         //! [trigger]\n//! on = \"row\"\n//! table = \"balance\"\n//! ops = [\"insert\"]\n\
         fn check(row) {{}}\n",
        severity(id)
    )
}

pub fn severity(rule: &str) -> &'static str {
    if rule == "vital" { "critical" } else { "minor" }
}

pub fn verdict(rule: &str, account: &str, breaker: &str) -> Verdict {
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
        severity: severity(rule),
        breakers: if breaker.is_empty() {
            vec![]
        } else {
            vec![breaker.parse().unwrap()]
        },
        ..Verdict::default()
    }
}

pub fn stops(rule: &str, account: &str) -> Verdict {
    verdict(rule, account, &format!("cash_out/account/{account}"))
}

pub struct CommitterSetup {
    pub server: TestServer,
    pub schemas: Schemas,
    pub committer: BatchCommitter,
}

impl CommitterSetup {
    pub async fn up() -> CommitterSetup {
        Self::up_as("judge").await
    }

    pub async fn up_as(name: &str) -> CommitterSetup {
        let server = TestServer::start(name, &[]).await;
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
        assert!(put_in_force(&mut conn, &schemas, &set, &why).await.unwrap());
        let again = put_in_force(&mut conn, &schemas, &set, &why).await;
        assert!(!again.unwrap(), "somebody was first");
        let blind = Blind::new(
            Readiness::default(),
            prometheus::IntGauge::new("j", "j").unwrap(),
        );
        let seal = BreakerSeal::new(Secret::new("0123456789abcdef"));
        let committer = BatchCommitter {
            pool: sluice_contract::sql::pool(&server.url(), 2).unwrap(),
            schemas: schemas.clone(),
            owner: "one".to_owned(),
            epoch,
            checkpoint: Duration::from_millis(500),
            fence: FencePublisher::new(blind.clone(), seal.clone()),
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
            kafka: None,
            rules_hash: "1".repeat(16),
            rules: ActiveRuleSet::channel().1,
            split_books: false,
            state: Default::default(),
            budget_stop_us: 1_800_000_000,
            seal,
            local: LocalCheckpoint::new(None, guard_rows()),
        };
        CommitterSetup {
            server,
            schemas,
            committer,
        }
    }

    pub async fn commit(&mut self, verdicts: &[Verdict]) {
        let blind = self.committer.health.blind.clone();
        let commit = self.committer.commit(verdicts);
        // It tries for ever: whoever waits is told why.
        match tokio::time::timeout(Duration::from_secs(30), commit).await {
            Ok(committed) => committed.unwrap(),
            Err(_) => panic!("not committed: {:?}", blind.causes()),
        }
    }

    /// The part that takes timed changes back, under the committer's leadership.
    pub fn timed_changes(&self) -> TimedChanges {
        let hosts = ServerHosts::new("mysql.url", &self.server.url(), 2).unwrap();
        TimedChanges {
            db: GuardDb {
                hosts: Arc::new(hosts),
                schemas: self.schemas.clone(),
                owner: self.committer.owner.as_str().into(),
                seal: self.committer.seal.clone(),
                local: LocalCheckpoint::new(None, guard_rows()),
            },
            health: self.committer.health.clone(),
            rules: self.committer.rules.clone(),
            epoch: self.committer.epoch,
        }
    }

    pub async fn texts(&self, sql: &str) -> Vec<String> {
        self.server.conn().await.query(sql).await.unwrap()
    }

    pub async fn open(&self) -> Vec<String> {
        self.texts(
            "SELECT CONCAT(scope,'/',scope_key) FROM t_guard.breaker WHERE state='open' ORDER BY 1",
        )
        .await
    }

    pub async fn mode(&self, rule: &str) -> String {
        let sql = format!(
            "SELECT CONCAT(mode, ' ', demoted) FROM t_guard.rule_member WHERE rule='{rule}' \
             AND version=(SELECT MAX(version) FROM t_guard.rule_active)"
        );
        self.texts(&sql).await.remove(0)
    }
}
