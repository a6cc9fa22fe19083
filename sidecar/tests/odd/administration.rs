//! Administration, and files that are loaded.

use super::*;

/// In this order; the last but one takes a column of a watched table away.
pub const ADMIN_STATEMENTS: [&str; 28] = [
    "CREATE DATABASE other",
    "CREATE TABLE other.entry LIKE t_ledger.entry",
    "USE t_ledger",
    "CREATE USER someone IDENTIFIED BY 'Some-1-one'",
    "GRANT SELECT ON t_ledger.* TO someone",
    "RENAME USER someone TO anyone",
    "DROP USER anyone",
    "CREATE VIEW seen AS SELECT * FROM entry",
    "CREATE OR REPLACE VIEW seen AS SELECT 1",
    "DROP VIEW seen",
    "CREATE TRIGGER later BEFORE UPDATE ON entry FOR EACH ROW SET NEW.ref=OLD.ref",
    "DROP TRIGGER later",
    "CREATE PROCEDURE p() DELETE FROM entry",
    "DROP PROCEDURE p",
    "CREATE INDEX quick ON entry (ref)",
    "DROP INDEX quick ON entry",
    "ALTER TABLE entry ADD COLUMN last_changed_us BIGINT NULL",
    "ALTER TABLE entry ENGINE=InnoDB",
    "OPTIMIZE TABLE entry",
    "ANALYZE TABLE entry",
    "CREATE TABLE scratch (id INT)",
    "ALTER TABLE scratch MODIFY id BIGINT, ADD dropped INT",
    "RENAME TABLE scratch TO scratch2",
    "TRUNCATE TABLE scratch2",
    "DROP TABLE scratch2, other.entry",
    "CREATE TABLE other.entry LIKE entry",
    "ALTER TABLE entry DROP COLUMN last_changed_us",
    "ALTER TABLE other.entry DROP COLUMN last_changed_us",
];

#[tokio::test(flavor = "multi_thread")]
async fn administration_stops_nobody_and_files_are_loaded_in_sight() {
    for server in TestServer::both("admin", &["--secure-file-priv="]).await {
        administration(&server).await;
    }
}

pub async fn administration(server: &TestServer) {
    server.migrate(&schemas()).await;
    let mut conn = server.conn().await;
    let file = server.dir().join("rows");
    std::fs::write(&file, "a\tp\t1\tk\tb\tD\t1\tCNY\tr\t1\tshop\t\n").unwrap();
    let password = match server.flavour() {
        Flavour::MariaDb => "SET PASSWORD FOR anyone = PASSWORD('Some-2-one')",
        _ => "SET PASSWORD FOR anyone = 'Some-2-one'",
    };
    let load = |into: &str| format!("LOAD DATA INFILE '{}' INTO TABLE {into}", file.display());
    let tail = tail(server, 940, &position(server).await, StartPosition::Now);
    all(&mut conn, &ADMIN_STATEMENTS).await;
    all(
        &mut conn,
        &[
            "CREATE USER anyone IDENTIFIED BY 'Some-1-one'",
            password,
            "DROP USER anyone",
            "USE other",
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            "SET SESSION binlog_format='STATEMENT'",
            &load("other.entry"),
            &load("t_ledger.entry"),
            "SET SESSION binlog_format='ROW'",
            "DELETE FROM t_ledger.entry",
            &load("t_ledger.entry"),
        ],
    )
    .await;
    let mut by_hand = vec!["# Dummy, says a person\nUPDATE t_ledger.entry SET ref='x'"];
    if server.flavour() == Flavour::MariaDb {
        by_hand.push("ANALYZE UPDATE t_ledger.entry SET ref='y'");
    }
    conn.query_drop("SET SESSION binlog_format='STATEMENT'")
        .await
        .unwrap();
    all(&mut conn, &by_hand).await;
    conn.query_drop("SET SESSION binlog_format='ROW'")
        .await
        .unwrap();
    conn.query_drop(
        "INSERT INTO t_guard.fence_token (instance,token,updated_us) VALUES ('core',1,1)",
    )
    .await
    .unwrap();
    let shown = |item: &sluice_sidecar::stream::batches::WatchedTransaction| {
        let unlogged = item
            .unlogged
            .first()
            .map_or("", |u| u.text.split(' ').next().unwrap_or_default());
        (item.transaction.changes.len(), unlogged.to_owned())
    };
    let of = |changes: usize, unlogged: &str| (changes, unlogged.to_owned());
    // A trigger may write into what a program signs, a key kept the second of two rows out.
    let told = ["CREATE", "DROP", "ALTER", "LOAD"].map(|verb| of(0, verb));
    let mut want = told.to_vec();
    want.extend([of(1, ""), of(1, "")]);
    want.extend(
        by_hand
            .iter()
            .map(|text| of(0, text.split(' ').next().unwrap_or_default())),
    );
    want.push(of(1, ""));
    assert_eq!(
        tail.items(want.len()).iter().map(shown).collect::<Vec<_>>(),
        want
    );
    assert_eq!(tail.blind.reason(), None);
}
