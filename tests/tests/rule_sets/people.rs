//! A rule that stops money takes a second person.

use crate::rule_sets::suppressions::what_is_suppressed_stops_nobody;
use crate::rule_sets::{RULE_ID, done, listed, sluice};
use anyhow::ensure;
use sluice_tests::TestStage;

pub(super) async fn two_people(set: &TestStage, hash: &str) -> anyhow::Result<()> {
    let promote = [
        "promote", RULE_ID, "--to", "trip", "--hash", hash, "--reason", "clearer",
    ];
    let told = done(set, "ann", &promote).await?;
    ensure!(
        told.contains(&format!(
            "sluice rules approve {RULE_ID} --to trip --hash {hash}"
        )),
        "{told}"
    );
    let approve = ["approve", RULE_ID, "--to", "trip", "--hash", hash];
    let own = sluice(set, "ann", &approve)
        .await?
        .err()
        .unwrap_or_default();
    ensure!(own.contains("a second person must approve"), "{own}");
    done(set, "bob", &approve).await?;
    let now = listed(set, &format!("{RULE_ID} "), "").await?;
    ensure!(
        now.starts_with(&[hash.to_owned(), "trip".to_owned()]),
        "{now:?}"
    );
    let sets = done(set, "bob", &["sets"]).await?;
    ensure!(sets.contains("proposed by ann: clearer"), "{sets}");
    done(set, "bob", &["rollback", "1", "--reason", "as it was"]).await?;
    suppressions_are_bounded(set).await?;
    what_is_suppressed_stops_nobody(set).await
}

/// A suppression has a cap and an end, and only rules that name an amount take one.
async fn suppressions_are_bounded(set: &TestStage) -> anyhow::Result<()> {
    let made = done(
        set,
        "bob",
        &[
            "suppress",
            RULE_ID,
            "A-1",
            "--amount-cap",
            "10.00",
            "--for",
            "2h",
            "--reason",
            "a known difference",
        ],
    );
    ensure!(
        made.await?.contains("unsuppress"),
        "no suppression was made"
    );
    let long = [
        "suppress",
        RULE_ID,
        "A-1",
        "--amount-cap",
        "10.00",
        "--for",
        "8d",
        "--reason",
        "x",
    ];
    let refused = sluice(set, "bob", &long).await?.err().unwrap_or_default();
    ensure!(refused.contains("at most 7 days"), "{refused}");
    let all = done(set, "bob", &["suppressions"]).await?;
    ensure!(all.contains("IN FORCE") && all.contains("0 of 10"), "{all}");
    for (rule, why) in [
        ("balance_ads_up", "there is no rule"),
        ("provenance", "name no amount"),
    ] {
        let none = [
            "suppress",
            rule,
            "A-1",
            "--amount-cap",
            "10.00",
            "--for",
            "2h",
            "--reason",
            "x",
        ];
        let refused = sluice(set, "bob", &none).await?.err().unwrap_or_default();
        ensure!(refused.contains(why), "{refused}");
    }
    Ok(())
}
