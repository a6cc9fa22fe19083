//! What people do to a database that is watched: odd data in other tables, rows of
//! many megabytes, new columns, and statements that leave no rows.

use crate::server::TestServer;
use crate::server::tail::{position, schemas, tail};
use mysql_async::prelude::Queryable;
use sluice_sidecar::stream::change::ColumnValue;
use sluice_sidecar::stream::gtid::Flavour;
use sluice_sidecar::stream::position::StartPosition;

async fn all(conn: &mut mysql_async::Conn, statements: &[&str]) {
    for statement in statements {
        conn.query_drop(*statement)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_data_of_others_and_new_columns_stop_nothing() {
    for server in TestServer::both("odd", &[]).await {
        odd(&server).await;
    }
}

async fn odd(server: &TestServer) {
    server.migrate(&schemas()).await;
    let mut conn = server.conn().await;
    // As an old application beside us has it: no strict mode, another character set.
    let own_types = match server.flavour() {
        Flavour::MariaDb => "u UUID, i INET6",
        Flavour::MySql => "u VECTOR(3), i JSON",
        Flavour::Feed => unreachable!("no server is a feed"),
    };
    let create = format!(
        "CREATE TABLE other.odd (a TIME(3), b DATETIME, c DATE, d VARCHAR(20), e LONGBLOB, f BIT(9), g GEOMETRY, \
         h YEAR, j ENUM('x','y'), k SET('x','y'), l DECIMAL(65,30), m FLOAT, n TIMESTAMP(6) NULL, {own_types}) CHARSET latin1"
    );
    all(
        &mut conn,
        &[
            "CREATE DATABASE other",
            &create,
            "CREATE TABLE t_orders.beside (v VARCHAR(9)) CHARSET latin1",
        ],
    )
    .await;
    let tail = tail(server, 920, &position(server).await, StartPosition::Now);
    let entry = |n: u32, rest: &str| {
        format!(
            "INSERT INTO t_ledger.entry VALUES ('acct','p',{n},'k','b','D',1,'CNY','r',{n}{rest})"
        )
    };
    all(
        &mut conn,
        &[
            "SET SESSION sql_mode=''",
            "INSERT INTO other.odd (a,b,c,d,f,h,l,m) VALUES ('-838:59:59.5','0000-00-00 00:00:00','0000-00-00',x'fffe80',b'1',0,-0.1,-1e30)",
            "INSERT INTO other.odd (e) VALUES (REPEAT('x', 20*1024*1024))",
            "INSERT INTO t_orders.beside VALUES (x'e9ff')",
            &entry(1, ""),
            // The longest text that fits: its event is longer than any single packet.
            "INSERT INTO t_orders.outbox VALUES ('a','big','s',REPEAT('y', 16777215),1)",
            "ALTER TABLE t_ledger.entry ADD COLUMN later VARCHAR(9) NULL",
            &entry(2, ",'x'"),
            "START TRANSACTION",
            &entry(3, ",NULL"),
            &entry(4, ",'y'"),
            "COMMIT",
            "ALTER TABLE t_ledger.entry ADD COLUMN first_of_all INT NOT NULL DEFAULT 5 FIRST",
            "INSERT INTO t_ledger.entry (account_id,posting_id,line,kind,book,side,amount,currency,ref,created_us,later) VALUES ('acct','p',5,'k','b','D',1,'CNY','r',5,'z')",
            "DROP TABLE other.odd",
            "CREATE TABLE other.odd (z INT)",
            "INSERT INTO other.odd VALUES (1)",
            "TRUNCATE TABLE t_orders.beside",
            "DROP TABLE t_orders.beside",
            "DELETE FROM t_ledger.entry WHERE line=1",
        ],
    )
    .await;
    let items = tail.items(6);
    let unlogged: Vec<_> = items.iter().flat_map(|i| &i.unlogged).collect();
    assert!(unlogged.is_empty(), "{unlogged:?}");
    let lines: Vec<(usize, ColumnValue)> = items
        .iter()
        .flat_map(|item| &item.transaction.changes)
        .filter(|change| change.table.name == "entry")
        .map(|change| {
            let image = change.after.as_ref().or(change.before.as_ref()).unwrap();
            (
                change.table.columns.len(),
                image[change.table.column("line").unwrap()].clone(),
            )
        })
        .collect();
    let want = [(10, 1), (11, 2), (11, 3), (11, 4), (12, 5), (12, 1)]
        .map(|(columns, line)| (columns, ColumnValue::Int(line)));
    assert_eq!(lines, want);
    let big = &items[1].transaction.changes[0];
    let ColumnValue::Text(events) = &big.after.as_ref().unwrap()[3] else {
        panic!("not text")
    };
    assert_eq!((events.len(), tail.blind.reason()), (16_777_215, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_without_rows_is_named_and_the_stream_goes_on() {
    for server in TestServer::both("unlogged", &[]).await {
        statements(&server).await;
    }
}

async fn statements(server: &TestServer) {
    server.migrate(&schemas()).await;
    let mut conn = server.conn().await;
    let row = "INSERT INTO t_guard.fence_token VALUES ('core',1,1)";
    let tail = tail(server, 930, &position(server).await, StartPosition::Now);
    all(
        &mut conn,
        &[
            row,
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            "SET SESSION binlog_format='STATEMENT'",
            "INSERT INTO t_balance.balance (account_id,currency,balance,available,reserved,version,updated_us) VALUES ('a','CNY',1,1,0,1,0)",
            "START TRANSACTION",
            "UPDATE t_balance.balance SET balance=9, available=9",
            "/* app */ UPDATE t_balance.balance SET balance=10, available=10",
            "DELETE FROM t_ledger.entry WHERE account_id='a'",
            "COMMIT",
            "SET SESSION binlog_format='ROW'",
            "UPDATE t_guard.fence_token SET token=2",
            "TRUNCATE TABLE t_ledger.entry",
            "USE t_orders",
            "ALTER TABLE attempt DROP COLUMN code",
            "DROP TABLE cases",
            "UPDATE t_guard.fence_token SET token=3",
        ],
    )
    .await;
    let items = tail.items(8);
    let said: Vec<Vec<(&str, usize)>> = items
        .iter()
        .map(|item| item.unlogged.iter().map(|u| (u.table, u.count)).collect())
        .collect();
    let want: [&[(&str, usize)]; 8] = [
        &[],
        &[("balance", 1)],
        &[("balance", 2), ("entry", 1)],
        &[],
        &[("entry", 1)],
        &[("attempt", 1)],
        &[("cases", 1)],
        &[],
    ];
    assert_eq!(said, want);
    assert!(
        items[2].unlogged[0].text.contains("balance=9"),
        "{:?}",
        items[2].unlogged
    );
    assert_eq!(items[7].control_rows.len(), 1);
    assert_eq!(tail.blind.reason(), None);
}

/// In this order; the last but one takes a column of a watched table away.
const ADMIN_STATEMENTS: [&str; 28] = [
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

async fn administration(server: &TestServer) {
    server.migrate(&schemas()).await;
    let mut conn = server.conn().await;
    let file = server.dir().join("rows");
    std::fs::write(&file, "a\tp\t1\tk\tb\tD\t1\tCNY\tr\t1\n").unwrap();
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
    conn.query_drop("INSERT INTO t_guard.fence_token VALUES ('core',1,1)")
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
    let mut want = vec![of(0, "ALTER"), of(0, "LOAD"), of(1, ""), of(1, "")];
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
