//! An account's entries by cursor, and its statement: complete, in order, exact to the
//! cent, also while money moves.

use anyhow::{Context, ensure};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sluice_drill::load::request::LoadWithdrawal;
use sluice_drill::load::{ClosedLoad, LoadEnd, closed};
use sluice_tests::{TestStage, options};
use std::collections::HashSet;
use std::time::Duration;

/// A core alone: what it books is all there is.
async fn core_alone() -> anyhow::Result<TestStage> {
    let mut options = options();
    options.fence = false;
    options.dispatch = false;
    let mut set = TestStage::prepare(options).await?;
    set.stage.start_core().await?;
    Ok(set)
}

async fn withdraw(set: &TestStage, run: &'static str, count: u64) -> anyhow::Result<()> {
    let target = set.stage.target();
    let load = ClosedLoad {
        address: target.address.clone(),
        connections: 16,
        until: LoadEnd::Count(count),
        deadline: Duration::from_secs(15),
    };
    let make = move |n: u64, out: &mut Vec<u8>| {
        let key = format!("{run}-{n}");
        let withdrawal = LoadWithdrawal {
            from_account: "A-1",
            to_account: "payee",
            amount: "0.10",
            currency: "CNY",
            user_id: "u",
            transaction_id: &key,
            biz_no: &key,
            channel: None,
        };
        target.submit(out, &withdrawal);
    };
    let report = closed(load, make, |_, _, _: &[u8]| {}).await?;
    ensure!(report.succeeded() == count, "{report}");
    Ok(())
}

/// One page behind a cursor: entries as `posting/line`, the next cursor, whether there
/// is more.
async fn page(
    set: &TestStage,
    after: &str,
    limit: u32,
) -> anyhow::Result<(Vec<String>, String, bool)> {
    let after = if after.is_empty() {
        String::new()
    } else {
        format!("&after={after}")
    };
    let (status, answer) = set
        .stage
        .client
        .get(&format!("/accounts/A-1/entries?limit={limit}{after}"))
        .await?;
    ensure!(status == 200, "{answer}");
    let data = &answer["data"];
    let name = |e: &Value| {
        format!(
            "{}/{}",
            e["postingId"].as_str().unwrap_or_default(),
            e["line"]
        )
    };
    let entries = data["entries"]
        .as_array()
        .context("entries")?
        .iter()
        .map(name)
        .collect();
    Ok((
        entries,
        data["next"].as_str().context("next")?.to_owned(),
        data["more"] == true,
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_by_cursor_come_once_each_while_more_are_written() -> anyhow::Result<()> {
    let set = core_alone().await?;
    set.stage
        .client
        .deposit("A-1", Decimal::from(1_000), "dep-1")
        .await?;
    withdraw(&set, "before", 100).await?;
    let reader = async {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        while all.len() < 2 * (1 + 100 + 400) {
            let (entries, next, _) = page(&set, &cursor, 37).await?;
            (cursor, all) = (next, [all, entries].concat());
        }
        anyhow::Ok((all, cursor))
    };
    let (written, read) = tokio::join!(
        withdraw(&set, "beside", 400),
        tokio::time::timeout(Duration::from_secs(60), reader)
    );
    written?;
    let (all, cursor) = read.context("entries are missing behind the cursor")??;
    let once: HashSet<&String> = all.iter().collect();
    ensure!(
        once.len() == all.len() && all.len() == 1_002,
        "{} entries, {} different",
        all.len(),
        once.len()
    );
    ensure!(all[0] == "dep-dep-1/0", "oldest first: {}", all[0]);
    // Behind the end there is nothing yet, and then what came since.
    let (none, same, more) = page(&set, &cursor, 10).await?;
    ensure!(none.is_empty() && same == cursor && !more, "{none:?}");
    withdraw(&set, "after", 3).await?;
    let (new, _, more) = page(&set, &cursor, 4).await?;
    ensure!(new.len() == 4 && more, "{new:?}");

    for (query, status, names) in [
        ("limit=0", 400, "limit"),
        ("limit=1001", 400, "limit"),
        ("limit=x", 400, "limit"),
        ("after=zz", 400, "after"),
        ("page=2", 400, "page"),
        ("limit=1&limit=2", 400, "limit"),
        ("currency=XXX", 400, "currency"),
    ] {
        let (got, answer) = set
            .stage
            .client
            .get(&format!("/accounts/A-1/entries?{query}"))
            .await?;
        ensure!(
            got == status && answer["msg"].as_str().unwrap_or_default().contains(names),
            "{query}: {got} {answer}"
        );
    }
    let (status, answer) = set.stage.client.get("/accounts/nobody/entries").await?;
    ensure!(status == 404 && answer["code"] == 40402, "{answer}");
    let (_, empty) = set
        .stage
        .client
        .get("/accounts/A-1/entries?currency=JPY")
        .await?;
    ensure!(
        empty["data"]["entries"]
            .as_array()
            .is_some_and(Vec::is_empty),
        "{empty}"
    );
    Ok(())
}

/// The statement's lines as columns, its head left out.
async fn statement(set: &TestStage, query: &str) -> anyhow::Result<Vec<Vec<String>>> {
    let url = format!(
        "{}/accounts/A-1/statement.csv?{query}",
        set.stage.ports.url(set.stage.ports.core)
    );
    let reply = reqwest::get(url).await?.error_for_status()?;
    let header = |name: &str| {
        reply
            .headers()
            .get(name)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    ensure!(
        header("content-type").starts_with("text/csv"),
        "{}",
        header("content-type")
    );
    ensure!(
        header("content-disposition").contains("statement-A-1-CNY-"),
        "{}",
        header("content-disposition")
    );
    let text = reply.text().await?;
    let mut lines = text
        .lines()
        .map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let head = lines.next().unwrap_or_default();
    ensure!(
        head == [
            "time",
            "posting",
            "kind",
            "reference",
            "debit",
            "credit",
            "balance",
            "currency"
        ],
        "{head:?}"
    );
    Ok(lines.collect())
}

fn amount(text: &str) -> anyhow::Result<Decimal> {
    if text.is_empty() {
        Ok(Decimal::ZERO)
    } else {
        Ok(Decimal::from_str_exact(text)?)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_exact_over_many_pages_and_continues_where_the_last_one_ended()
-> anyhow::Result<()> {
    let set = core_alone().await?;
    set.stage
        .client
        .deposit("A-1", Decimal::from(1_000), "-leading")
        .await?;
    withdraw(&set, "one", 700).await?;
    let middle = sluice_contract::clock::now_us();
    withdraw(&set, "two", 550).await?;
    let (_, answer) = set.stage.client.get("/accounts/A-1").await?;
    let shown = &answer["data"]["balances"][0];
    ensure!(
        shown["available"] == "875" && shown["reserved"] == "125" && shown["intermediate"] == "0",
        "{shown}"
    );

    let whole = statement(&set, "").await?;
    ensure!(whole.len() == 1 + 1 + 1_250, "{} lines", whole.len());
    ensure!(
        whole[0][2] == "opening" && whole[0][6] == "0.00",
        "{:?}",
        whole[0]
    );
    ensure!(
        whole[1][3] == "'-leading" && whole[1][5] == "1000.00",
        "{:?}",
        whole[1]
    );
    let mut balance = Decimal::ZERO;
    for line in &whole[1..] {
        balance += amount(&line[5])? - amount(&line[4])?;
        ensure!(amount(&line[6])? == balance, "{line:?}: {balance}");
    }
    ensure!(balance == Decimal::from(875), "{balance}");
    let ahead = statement(&set, &format!("to={middle}")).await?;
    let behind = statement(&set, &format!("from={middle}")).await?;
    ensure!(
        ahead.last().context("a line")?[6] == behind[0][6] && behind[0][6] == "930.00",
        "{:?}",
        behind[0]
    );
    ensure!(
        ahead.len() - 1 + behind.len() - 1 == whole.len() - 1,
        "{} and {}",
        ahead.len(),
        behind.len()
    );
    let reserved = statement(&set, "book=reserved&from=2020-01-01&to=2099-12-31").await?;
    ensure!(
        reserved.last().context("a line")?[6] == "125.00",
        "{:?}",
        reserved.last()
    );

    for (query, status, names) in [
        ("from=yesterday", 400, "from"),
        ("from=2026-02-01&to=2026-01-01", 400, "to"),
        ("book=clearing.payments", 400, "book"),
        ("currency=JPY", 400, "currency"),
        ("currency=jpy", 400, "currency"),
        ("until=5", 400, "until"),
    ] {
        let (got, answer) = set
            .stage
            .client
            .get(&format!("/accounts/A-1/statement.csv?{query}"))
            .await?;
        ensure!(
            got == status && answer["msg"].as_str().unwrap_or_default().contains(names),
            "{query}: {got} {answer}"
        );
    }
    let (status, _) = set
        .stage
        .client
        .get("/accounts/nobody/statement.csv")
        .await?;
    ensure!(status == 404, "{status}");
    let (status, _) = set
        .stage
        .client
        .post("/accounts/A-1/entries", &json!({}), &[])
        .await?;
    ensure!(status == 404, "{status}");
    Ok(())
}
