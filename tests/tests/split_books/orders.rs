//! Orders live on split books as they do on one server.

use crate::split_books::{ask, ready};
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use serde_json::json;
use sluice_contract::clock::now_us;
use sluice_contract::event::{BusinessEvent, DEPOSIT_RECEIVED};
use sluice_contract::sql;
use sluice_contract::telemetry::Readiness;
use sluice_drill::stage::StageOptions;
use sluice_drill::stage::traffic::Traffic;
use sluice_sidecar::binlog::{preflight, reader};
use sluice_sidecar::health::blind::Blind;
use sluice_sidecar::rules::Evaluator;
use sluice_sidecar::rules::runtime::rule_set::RuleSet;
use sluice_sidecar::stream::change::RuleInput;
use sluice_sidecar::stream::feed::{FeedSender, SourceMessage};
use sluice_sidecar::stream::gtid::Flavour;
use sluice_sidecar::stream::position::StartPosition;
use sluice_tests::{TestStage, options};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Reads a server's whole binlog as a sidecar would and has the rules on single
/// transactions judge it; returns how many transactions there were.
async fn proven(set: &TestStage, url: &str) -> anyhow::Result<usize> {
    let mut conn = sql::connect(url).await?;
    let end = preflight::position(&mut conn, Flavour::MariaDb).await?;
    let settings = reader::BinlogReaderSettings {
        url: url.to_owned(),
        server_id: 4_000,
        schemas: set.stage.schemas.clone(),
        flavour: Flavour::MariaDb,
        position: String::new(),
        start: StartPosition::Oldest,
    };
    let (send, feed) = crossbeam_channel::bounded(64);
    let blind = Blind::new(Readiness::default(), prometheus::IntGauge::new("t", "t")?);
    let cancel = CancellationToken::new();
    let _ends = cancel.clone().drop_guard();
    let send = FeedSender::new(send, cancel);
    let reader = reader::BinlogReader::new(settings, send, blind.clone())?;
    std::thread::spawn(move || reader.run());
    let rules = RuleSet::load(&set.stage.options.rules, set.stage.verifier.clone())?;
    let (mut rules, mut found, mut count) = (Evaluator::new(Arc::new(rules)), Vec::new(), 0);
    loop {
        let batch = match feed.recv_timeout(Duration::from_secs(10)) {
            Ok(SourceMessage::Binlog(batch)) => batch,
            other => anyhow::bail!(
                "nothing more to read: {other:?}, blind: {:?}",
                blind.reason()
            ),
        };
        for item in batch.items {
            count += 1;
            rules.evaluate(&RuleInput::Transaction(item.transaction), &mut found);
        }
        if batch.position == end {
            break;
        }
    }
    let single = ["provenance", "entries_balance", "balance_adds_up"];
    let found: Vec<_> = found
        .iter()
        .filter(|f| single.contains(&f.rule.id.as_str()))
        .collect();
    ensure!(
        found.is_empty(),
        "{} of {count} transactions, such as {:?}",
        found.len(),
        found[0]
    );
    Ok(count)
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_live_as_they_do_together_and_a_refusal_burns_no_key() -> anyhow::Result<()> {
    let mut set = TestStage::up(StageOptions {
        split_books: true,
        ..options()
    })
    .await?;
    let traffic = Traffic::new("split_books", 40);
    traffic.fund(&set.stage, 1_000).await?;
    let report = traffic
        .open(&set.stage, 150, Duration::from_secs(4))
        .await?;
    ensure!(
        report.succeeded() == report.answered() && report.answered() == 600,
        "{:?}",
        report.statuses
    );
    set.all_is_well().await?;
    let accepted = set
        .published()?
        .into_iter()
        .filter(|e| e.kind == "withdraw.accepted")
        .count();
    ensure!(accepted == 600, "{accepted} orders were told as accepted");
    let split_books = set.stage.split_books.as_ref().context("split_books")?;
    for url in [split_books.balance.url(), split_books.ledger.url()] {
        let count = proven(&set, &url).await?;
        ensure!(count > 20, "only {count} transactions were read");
    }

    a_refusal_burns_no_key(&set).await?;

    the_balance_service_is_away(&mut set).await?;
    set.all_is_well().await
}

async fn a_refusal_burns_no_key(set: &TestStage) -> anyhow::Result<()> {
    let (status, answer) = ask(set, "too-much", "5000.00").await?;
    ensure!(
        status == 422 && answer["code"] == 42202,
        "{status} {answer}"
    );
    // Funded, the same key and business number are as good as new.
    let received = BusinessEvent {
        id: "more".into(),
        kind: DEPOSIT_RECEIVED.into(),
        account_id: "A00001".into(),
        biz_no: "more".into(),
        amount: Decimal::from(9_000),
        currency: "CNY".into(),
        occurred_us: now_us(),
        payer_account_id: None,
        client: None,
    };
    set.stage.events.queue(&received).await?;
    set.stage.events.flush(Duration::from_secs(10)).await?;
    let body = json!({ "accountId": "A00001", "amount": "9000.00", "bizNo": "more" });
    let (status, answer) = set.stage.client.post("/deposit", &body, &[]).await?;
    ensure!(status == 202, "{status} {answer}");
    let (status, first) = ask(set, "too-much", "5000.00").await?;
    ensure!(status == 202, "{status} {first}");
    let (status, again) = ask(set, "too-much", "5000.00").await?;
    ensure!(
        status == 202 && again["data"] == first["data"],
        "{status} {again}"
    );
    let id = first["data"]["withdrawOrderId"]
        .as_str()
        .context("an id")?
        .to_owned();
    set.stage.wait_for_status(&id, "success").await?;
    Ok(())
}

async fn the_balance_service_is_away(set: &mut TestStage) -> anyhow::Result<()> {
    // The balance service is away: nothing is promised, and /ready says which it is.
    let split_books = set.stage.split_books.as_mut().context("split_books")?;
    split_books.balance.kill9()?;
    let (status, answer) = ask(set, "away", "7.00").await?;
    ensure!(status == 503, "{status} {answer}");
    let told = ready(set, false).await?;
    ensure!(
        told["waits_for"]["balance"]
            .as_str()
            .is_some_and(|w| w.contains("balance")),
        "{told}"
    );
    let (status, answer) = ask(set, "never-written", "7.00").await?;
    ensure!(status == 503, "{status} {answer}");
    set.stage
        .split_books
        .as_mut()
        .context("split_books")?
        .balance
        .restart()
        .await?;
    ready(set, true).await?;
    let (status, first) = ask(set, "away", "7.00").await?;
    ensure!(status == 202, "a repeat learns the truth: {status} {first}");
    let (_, again) = ask(set, "away", "7.00").await?;
    ensure!(again["data"] == first["data"], "{first} {again}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_for_what_is_not_there_leaves_one_order_behind() -> anyhow::Result<()> {
    let set = TestStage::up(StageOptions {
        split_books: true,
        ..options()
    })
    .await?;
    Traffic::new("loop", 3).fund(&set.stage, 10).await?;
    for n in 0..30 {
        let (status, answer) = ask(&set, &format!("loop-{n}"), "11.00").await?;
        ensure!(
            status == 422 && answer["code"] == 42202,
            "{status} {answer}"
        );
    }
    let sql = format!(
        "SELECT COUNT(*) FROM {}.orders WHERE account_id='A00001'",
        set.stage.schemas.orders
    );
    let left: Option<i64> = set.stage.pool.get_conn().await?.query_first(sql).await?;
    ensure!(left == Some(1), "{left:?} orders were written for refusals");
    // Refused before, it is paid once the money is there.
    let (status, first) = ask(&set, "enough", "10.00").await?;
    ensure!(status == 202, "{status} {first}");
    let (status, repeat) = ask(&set, "enough", "10.00").await?;
    let same = repeat["data"]["withdrawOrderId"] == first["data"]["withdrawOrderId"];
    ensure!((200..300).contains(&status) && same, "{status} {repeat}");
    set.all_is_well().await
}
