//! Messages that cannot be trusted, and statements without rows.

use super::*;

/// Topic, message, and a part of the reason why it is refused.
fn untrusted(entry: &str) -> Vec<(&'static str, String, &'static str)> {
    let balance = "bank.sluice_ledger.entry";
    let edit = |from: &str, to: &str| {
        assert!(entry.contains(from), "{from}");
        entry.replace(from, to)
    };
    vec![
        (
            balance,
            edit("\"100.0000\"", "100.0"),
            "decimal.handling.mode",
        ),
        // Base64 of a decimal may look like a number of another size.
        (
            balance,
            edit("\"100.0000\"", "\"1234\""),
            "decimal.handling.mode",
        ),
        (balance, edit("\"100.0000\"", "\"1.0e2\""), "exact decimal"),
        (balance, edit("\"op\":\"c\"", "\"op\":\"m\""), "unknown"),
        (
            balance,
            edit("\"op\":\"c\"", "\"op\":\"u\""),
            "lacks an image",
        ),
        (
            balance,
            edit("\"transaction\":{\"id\"", "\"none\":{\"id\""),
            "provide.transaction.metadata",
        ),
        (
            balance,
            edit("\"line\":0", "\"line\":\"0\""),
            "whole number",
        ),
        (balance, "{\"after\":".to_owned(), "not JSON"),
        (balance, "{}".to_owned(), "envelope"),
        (
            "bank.transaction",
            r#"{"status":"ABORT","id":"0-1-1"}"#.to_owned(),
            "envelope",
        ),
        (
            "bank.transaction",
            r#"{"status":"BEGIN","id":"file=b.1,pos=4"}"#.to_owned(),
            "gtid_mode",
        ),
        ("bank", "{\"ddl\":".to_owned(), "not JSON"),
        ("other", "{}".to_owned(), "not of this feed"),
    ]
}

#[test]
fn what_cannot_be_trusted_is_refused_before_it_is_passed() {
    let log = captured();
    let entry = log["bank.sluice_ledger.entry"][0].clone().unwrap();
    let balance = "bank.sluice_ledger.entry";
    for (topic, value, want) in untrusted(&entry) {
        let mut one = assembler("");
        let error = format!(
            "{:#}",
            take(&mut one, topic, 7, &Some(value.clone())).unwrap_err()
        );
        assert!(error.contains(want), "{value} gave {error}");
        assert_eq!(one.read().next(topic, 0), None, "{value} was passed");
    }
    // With its schema around it, it is the same.
    let mut one = assembler("");
    take(
        &mut one,
        balance,
        0,
        &Some(format!(r#"{{"schema":{{}},"payload":{entry}}}"#)),
    )
    .unwrap();
    // More changes than the end says, or the same place twice with another change.
    let other = entry
        .replace("\"op\":\"c\"", "\"op\":\"d\"")
        .replace("\"before\":null,\"after\"", "\"after\":null,\"before\"");
    assert!(take(&mut one, balance, 1, &Some(other)).is_err());
}

/// As the connector tells a statement: what left no rows is a finding, and the feed goes on.
#[test]
fn statements_without_rows_are_named_and_the_feed_goes_on() {
    let told = |ddl: &str, gtid: &str| {
        let source = format!(r#"{{"snapshot":"false","gtid":{gtid}}}"#);
        Some(format!(
            r#"{{"source":{source},"databaseName":"sluice_ledger","ddl":"{ddl}"}}"#
        ))
    };
    let mut one = assembler("");
    let harmless = [
        "CREATE TABLE note (id INT)",
        "ALTER TABLE entry ADD COLUMN changed INT",
        "DROP USER x",
        "TRUNCATE note",
    ];
    for (offset, ddl) in (0..).zip(harmless) {
        take(&mut one, "bank", offset, &told(ddl, "null")).unwrap();
        assert!(one.next_whole().unwrap().is_none(), "{ddl}");
    }
    take(
        &mut one,
        "bank",
        4,
        &told("TRUNCATE TABLE entry", "\"0-1-500\""),
    )
    .unwrap();
    let emptied = r#"{"op":"t","source":{"gtid":"0-1-501"},"before":null,"after":null}"#.to_owned();
    take(&mut one, "bank.sluice_orders.attempt", 0, &Some(emptied)).unwrap();
    take(
        &mut one,
        "bank",
        5,
        &told("RENAME TABLE entry TO x, sluice_orders.orders TO y", "null"),
    )
    .unwrap();
    // Until it was handed over it is read again after a crash.
    assert!(one.position().contains("bank=4"), "{}", one.position());
    let mut found = Vec::new();
    while let Some(item) = one.next_whole().unwrap() {
        let item = item.unwrap();
        assert!(item.transaction.changes.is_empty());
        found.extend(
            item.unlogged
                .iter()
                .map(|u| format!("{} {}: {}", item.transaction.position, u.table, u.text)),
        );
    }
    let rename = "RENAME TABLE entry TO x, sluice_orders.orders TO y";
    let want = [
        "0-1-500 entry: TRUNCATE TABLE entry".to_owned(),
        "0-1-501 attempt: TRUNCATE TABLE attempt".to_owned(),
        format!("bank/0/5 entry: {rename}"),
        format!("bank/0/5 orders: {rename}"),
    ];
    assert_eq!(found, want);
    assert!(one.position().contains("bank=6"));
    // Transactions of before it that come later are not taken for done.
    let mut out = Vec::new();
    for (topic, messages) in &captured() {
        for (offset, value) in messages.iter().enumerate().filter(|_| topic != "bank") {
            take(&mut one, topic, offset as i64, value).unwrap();
        }
    }
    drain(&mut one, &mut out);
    assert_eq!(out, WHOLE_TRANSACTIONS);
}
