use crate::guard_rows::GuardRows;
use crate::health::Health;
use crate::health::blind::Blind;
use crate::health::status::SidecarStatus;
use crate::metrics::metrics;
use crate::pipeline::evaluate::{StreamEvaluator, StreamEvaluatorSettings, results};
use crate::pipeline::shadow::budget::ShadowBudget;
use crate::pipeline::shadow::panics::contained;
use crate::pipeline::shadow::queue::{ShadowBatch, ShadowFeed, ShadowQueue};
use crate::pipeline::shadow::{ShadowEvaluator, ShadowFindings, ShadowTap, findings};
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::{GuardJudge, RuleFiles};
use crate::stream::batches::{BinlogBatch, ControlRow, FenceToken, WatchedTransaction};
use crate::stream::change::{
    ChangeOp, ChangeTransaction, ColumnValue, ReceivedEvent, RowChange, RuleInput, SourceKind,
    TableSchema,
};
use crate::stream::feed::SourceMessage;
use crate::stream::gtid::Flavour;
use crate::workflow::trials::TrialGapCause;
use crossbeam_channel::bounded;
use rust_decimal::Decimal;
use sluice_contract::clock::now_us;
use sluice_contract::event::BusinessEvent;
use sluice_contract::settings::Secret;
use sluice_contract::telemetry::Readiness;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Long enough on the slowest machine.
const TEST_TIMEOUT: Duration = Duration::from_secs(60);

/// A rule that finds every balance, after some work.
fn rule(id: &str, mode: &str, work: u32) -> (String, String) {
    let text = format!(
        r#"//! id = "{id}"
//! guards = "Nothing."
//! kind = "internal_logic"
//! severity = "minor"
//! mode = "{mode}"
//! breaker = "cash_out/account"
//! owner = "us"
//! runbook = "None."
//! [trigger]
//! on = "row"
//! table = "balance"
//! ops = ["insert"]
fn check(row) {{ let sum = 0; for i in 0..{work} {{ sum += i; }} violation(row.after.account_id, "b", "seen by {id}") }}
"#
    );
    (format!("{id}.rhai"), text)
}

fn set(rules: &[(&str, &str, u32)]) -> Arc<RuleSet> {
    let files = rules.iter().map(|(id, mode, work)| rule(id, mode, *work));
    Arc::new(RuleSet::build(&RuleFiles::of(files.collect()), Secret::new("k")).unwrap())
}

fn transaction(number: u64, rows: usize) -> Arc<ChangeTransaction> {
    let columns = ["account_id", "balance"].map(str::to_owned).to_vec();
    let table = Arc::new(TableSchema::new("balance", columns));
    let row = |at: usize| {
        let values = [
            ColumnValue::Text(format!("A-{number}-{at}").into()),
            ColumnValue::Dec(Decimal::from(2)),
        ];
        Arc::new(RowChange {
            table: Arc::clone(&table),
            op: ChangeOp::Insert,
            before: None,
            after: Some(values.into()),
        })
    };
    Arc::new(ChangeTransaction {
        position: format!("0-1-{number}").into(),
        changes: (0..rows).map(row).collect(),
    })
}

fn health() -> Health {
    Health {
        blind: Blind::new(
            Readiness::default(),
            prometheus::IntGauge::new("c", "c").unwrap(),
        ),
        status: SidecarStatus::default(),
        metrics: metrics().unwrap(),
    }
}

/// Messages of one transaction each, with a token after it.
fn messages(count: u64) -> impl Iterator<Item = SourceMessage> {
    (1..=count).map(|number| {
        let token = FenceToken {
            instance: "core-1".to_owned(),
            token: number,
            updated_us: 1,
        };
        SourceMessage::Binlog(BinlogBatch {
            server: 0,
            items: vec![WatchedTransaction {
                transaction: transaction(number, 1),
                control_rows: vec![ControlRow::Token(token)],
                unlogged: Vec::new(),
            }],
            position: format!("0-1-{number}"),
            changes: 1,
            needs_from: None,
        })
    })
}

/// Tokens and findings of the armed evaluator over as many messages.
fn armed(rules: Arc<RuleSet>, count: u64, shadow: Option<ShadowTap>) -> (Vec<u64>, Vec<String>) {
    let (reload, reloads) = watch::channel(None);
    let evaluator = StreamEvaluator::new(StreamEvaluatorSettings {
        flavours: vec![Flavour::MariaDb],
        names: vec![String::new()].into(),
        positions: vec!["0-1-0".to_owned()],
        server_gate: None,
        kafka_gate: None,
        kafka_activity: Default::default(),
        rules,
        reloads,
        metrics: metrics().unwrap(),
        kafka_from_us: None,
        kafka_judged: None,
        tap: None,
        mid_stream: false,
        workers: 1,
        shadow,
        cpu_per_second: Duration::from_secs(1),
        restored: None,
        clock_jumps: false,
        freezing: None,
        replay: None,
        guard: GuardJudge::new(GuardRows::new(Secret::new("k")), false),
        breaches: ("".into(), Vec::new()),
    })
    .unwrap();
    let (feed, fed) = bounded(count as usize);
    messages(count).for_each(|message| feed.send(message).unwrap());
    drop((feed, reload));
    let (results, mut evaluated) = results();
    evaluator.run(&fed, &results).unwrap();
    drop(results);
    let (mut tokens, mut found) = (Vec::new(), Vec::new());
    while let Ok(one) = evaluated.try_recv() {
        tokens.extend(one.released.iter().map(|token| token.token));
        found.extend(one.findings.iter().map(|finding| format!("{finding:?}")));
    }
    (tokens, found)
}

/// Shadow does not take anything: the queue drops, and no token and no finding waits for it.
#[test]
fn tokens_pass_while_shadow_stands_still() {
    let alone = armed(set(&[("stops", "trip", 0)]), 100, None);
    let both = set(&[("stops", "trip", 0), ("slow", "shadow", 0)]);
    let health = health();
    let (batches, queue) = ShadowQueue::holding(10);
    let tap = ShadowTap::new(batches, &both, health.clone());
    let beside = armed(Arc::clone(&both), 100, Some(tap));
    assert_eq!(beside.0, (1..=100).collect::<Vec<u64>>());
    assert_eq!(alone, beside, "and the armed rule says the same");
    // As much as fits the queue is there, and the rest is told as a gap.
    let first: Vec<ShadowBatch> = queue.batches.try_iter().collect();
    assert!(first[0].rules.is_some() && first[0].lost.is_none());
    assert_eq!(first.len(), 10);
    let status = health.status.read().shadow;
    assert!(status.gap_since_us.is_some() && status.gap_until_us.is_none());
}

#[test]
fn the_batch_after_a_gap_says_since_when_and_how_much() {
    let rules = set(&[("slow", "shadow", 0)]);
    let health = health();
    let (batches, queue) = ShadowQueue::holding(1);
    let mut tap = ShadowTap::new(batches, &rules, health.clone());
    let mut tell = |number: u64| {
        tap.input(&RuleInput::Transaction(transaction(number, 1)));
        tap.hand_over();
    };
    tell(1);
    tell(2);
    tell(3);
    let first = queue.next().unwrap();
    assert_eq!((first.inputs.len(), first.lost), (1, None));
    tell(4);
    let next = queue.next().unwrap();
    let lost = next.lost.unwrap();
    assert_eq!((next.inputs.len(), lost.inputs), (1, 2));
    assert!(lost.since_us >= first.at_us && lost.since_us <= next.at_us);
    tell(5);
    assert_eq!(queue.next().unwrap().lost, None);
    let status = health.status.read().shadow;
    assert!(status.gap_until_us.is_some(), "{status:?}");
}

/// A set that finds the queue full goes with the next batch that doesn't.
#[test]
fn a_set_is_never_lost() {
    let (batches, queue) = ShadowQueue::holding(1);
    let mut tap = ShadowTap::new(batches, &set(&[("one", "shadow", 0)]), health());
    let row = |number: u64| RuleInput::Transaction(transaction(number, 1));
    tap.input(&row(1));
    tap.hand_over();
    tap.swap(&set(&[("two", "shadow", 0)]));
    tap.input(&row(2));
    tap.hand_over();
    let first = queue.next().unwrap();
    assert!(first.rules.is_some() && first.lost.is_none());
    tap.input(&row(3));
    tap.hand_over();
    let next = queue.next().unwrap();
    assert_eq!(next.rules.unwrap().rules().next().unwrap().id, "two");
    assert_eq!(next.lost.unwrap().inputs, 1);
}

/// Shadow on its thread, fed by hand.
struct ShadowStage {
    feed: ShadowFeed,
    found: tokio::sync::mpsc::Receiver<ShadowFindings>,
    stop: CancellationToken,
    number: u64,
}

impl ShadowStage {
    fn start(cpu_per_second: Duration) -> ShadowStage {
        Self::start_reading(cpu_per_second, false)
    }

    fn start_reading(cpu_per_second: Duration, has_begun: bool) -> ShadowStage {
        let stop = CancellationToken::new();
        let (feed, queue) = ShadowQueue::holding(100_000);
        let (results, found) = findings();
        let evaluator =
            ShadowEvaluator::new(cpu_per_second, (None, has_begun), health(), stop.clone());
        std::thread::spawn(move || evaluator.run(&queue, &results));
        ShadowStage {
            feed,
            found,
            stop,
            number: 0,
        }
    }

    fn tell(&mut self, rules: Option<Arc<RuleSet>>, rows: usize) {
        self.number += 1;
        let batch = ShadowBatch {
            rows: rows as u64,
            at_us: now_us(),
            rules,
            lost: None,
            inputs: vec![RuleInput::Transaction(transaction(self.number, rows))],
        };
        assert!(self.feed.offer(batch).is_ok());
    }

    /// The next findings that are as wanted; a row is told now and then, so that time passes.
    fn hear(&mut self, wanted: impl Fn(&ShadowFindings) -> bool) -> ShadowFindings {
        let begun = Instant::now();
        loop {
            match self.found.try_recv() {
                Ok(found) if wanted(&found) => return found,
                Ok(_) => {}
                Err(_) => {
                    assert!(begun.elapsed() < TEST_TIMEOUT, "shadow says nothing of it");
                    std::thread::sleep(Duration::from_millis(100));
                    self.tell(None, 1);
                }
            }
        }
    }
}

impl Drop for ShadowStage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn said(findings: &ShadowFindings, rule: &str) -> usize {
    let verdicts = findings.verdicts.iter();
    verdicts.filter(|verdict| verdict.rule == rule).count()
}

#[test]
fn a_rule_past_its_budget_sleeps_and_the_others_go_on() {
    let mut stage = ShadowStage::start(Duration::from_millis(300));
    let rules = set(&[("cheap", "shadow", 0), ("slow", "shadow", 8_000)]);
    stage.tell(Some(rules), 1_000);
    let first = stage.hear(|_| true);
    let (cheap, slow) = (said(&first, "cheap"), said(&first, "slow"));
    assert!(slow < 1_000, "it was called {slow} times");
    assert!(cheap > slow, "{cheap} of the cheap one, {slow} of the slow");
    let gap = |findings: &ShadowFindings, rule: &str| {
        let trial = findings.trials.iter().find(|trial| trial.rule == rule);
        trial.and_then(|trial| trial.gap)
    };
    let slept = gap(&first, "slow").unwrap();
    assert_eq!(
        (slept.cause, slept.until_us),
        (TrialGapCause::OverBudget, None)
    );
    // Awake again by and by, and the gap has an end.
    stage.hear(|found| said(found, "slow") == 1);
    stage.hear(|found| gap(found, "slow").is_some_and(|gap| gap.until_us.is_some()));
}

/// Nothing that is found in shadow can open anything, whatever the text says.
#[test]
fn a_candidate_is_evaluated_as_shadow() {
    let (name, text) = rule("stops", "trip", 0);
    let mut files = RuleFiles::of(vec![(name, text)]);
    files.rules[0].candidate = true;
    let rules = Arc::new(RuleSet::build(&files, Secret::new("k")).unwrap());
    let mut stage = ShadowStage::start(Duration::from_secs(1));
    stage.tell(Some(Arc::clone(&rules)), 1);
    let found = stage.hear(|found| said(found, "stops") == 1);
    let verdict = &found.verdicts[0];
    assert!(verdict.mode == "shadow" && verdict.breakers.is_empty());
    // The armed evaluator has nothing to do with it.
    assert_eq!(armed(rules, 3, None), (vec![1, 2, 3], Vec::new()));
}

#[test]
fn sleeps_grow_and_are_forgiven() {
    let ms = Duration::from_millis;
    let mut budget = ShadowBudget::new(ms(100));
    let rule = ("r".to_owned(), "h".to_owned());
    let second = 1_000_000_i64;
    assert_eq!(budget.spend(&rule, ms(60), second), None);
    assert_eq!(budget.left(&rule, second), ms(40));
    assert_eq!(budget.left(&rule, 2 * second), ms(100), "a new second");
    let mut now = 2 * second;
    for slept in [1, 2, 4, 8, 16, 32, 64, 64] {
        let until = budget.spend(&rule, ms(100), now).unwrap();
        assert_eq!(until, now + slept * second);
        assert!(budget.left(&rule, until).is_zero() && budget.wake(until - 1).is_empty());
        assert_eq!(budget.wake(until), std::slice::from_ref(&rule));
        assert_eq!(budget.left(&rule, until), ms(100));
        now = until;
    }
    now += 60 * second;
    assert_eq!(budget.spend(&rule, ms(100), now), Some(now + second));
}

#[test]
fn a_panic_is_contained() {
    assert_eq!(contained(|| 1), Ok(1));
    let said: Result<(), String> = contained(|| panic!("row {}", 7));
    assert_eq!(said, Err("row 7".to_owned()));
}

/// A set with a pair in shadow, or with another rule alone.
fn pair_set(id: &str, mode: &str) -> Arc<RuleSet> {
    let (name, text) = rule(id, mode, 0);
    let (head, _) = text.split_once("//! on = ").unwrap();
    let text = format!(
        "{head}//! on = \"pair\"\n//! left = {{ event = \"deposit.received\", key = \"biz_no\" }}\n\
         //! right = {{ table = \"entry\", op = \"insert\", key = \"ref\" }}\n\
         //! within_ms = 5000\n\
         //! keep_ms = 20000\n//! require = \"left\"\nfn check(l, r) {{}}\n\
         fn missing(one) {{ violation(one.account_id, \"gone\", \"missing\") }}"
    );
    Arc::new(RuleSet::build(&RuleFiles::of(vec![(name, text)]), Secret::new("k")).unwrap())
}

/// A deposit that is told and never booked, with the clocks of both sources around it.
fn unbooked() -> Vec<RuleInput> {
    let clocks = |seconds: i64| {
        [SourceKind::Binlog, SourceKind::Kafka].map(|source| RuleInput::Watermark {
            source,
            at_us: seconds * 1_000_000,
        })
    };
    let event = RuleInput::Event(Arc::new(ReceivedEvent {
        position: "business.payment/0/7".into(),
        body: BusinessEvent {
            id: "e7".to_owned(),
            kind: "deposit.received".to_owned(),
            account_id: "A-1".to_owned(),
            biz_no: "P-1".to_owned(),
            amount: Decimal::from(5),
            currency: "CNY".to_owned(),
            occurred_us: 10_500_000,
            payer_account_id: None,
            client: None,
        },
    }));
    let mut inputs: Vec<RuleInput> = [1, 10].map(clocks).into_iter().flatten().collect();
    inputs.push(event);
    inputs.extend([11, 12, 17].map(clocks).into_iter().flatten());
    inputs
}

/// Rules in shadow remember nothing of what lies before a written state, nor before their first
/// version: nothing is missing for that.
#[test]
fn a_pair_that_begins_in_the_middle_of_the_stream_misses_nothing() {
    let outcome = |has_begun: bool, before: Option<Arc<RuleSet>>| {
        let mut stage = ShadowStage::start_reading(Duration::from_secs(1), has_begun);
        if let Some(before) = before {
            stage.tell(Some(before), 1);
        }
        let batch = ShadowBatch {
            rows: 0,
            at_us: now_us(),
            rules: Some(pair_set("pairs", "shadow")),
            lost: None,
            inputs: unbooked(),
        };
        assert!(stage.feed.offer(batch).is_ok());
        let found = stage.hear(|found| said(found, "pairs") > 0);
        found.verdicts[0].outcome
    };
    assert_eq!(outcome(false, None), "violation");
    assert_eq!(outcome(true, None), "undetermined");
    let armed_alone = set(&[("armed", "alert", 0)]);
    assert_eq!(outcome(false, Some(armed_alone)), "undetermined");
}
