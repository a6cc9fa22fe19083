//! Entries are read by cursor, each once.

use crate::accounts::{core_alone, withdraw};
use anyhow::{Context, ensure};
use rust_decimal::Decimal;
use serde_json::Value;
use sluice_tests::TestStage;
use std::collections::HashSet;
use std::time::Duration;

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
    ensure!(all[0] == "dep-local/dep-1/0", "oldest first: {}", all[0]);
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
