//! The binlog reader against a real MariaDB and a real MySQL.

use crate::server::TestServer;
use crate::server::tail::{position, schemas, tail};
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_sidecar::binlog::hosts::ServerHosts;
use sluice_sidecar::binlog::preflight;
use sluice_sidecar::stream::batches::{ControlRow, FenceToken};
use sluice_sidecar::stream::change::{ChangeOp, ColumnValue};
use sluice_sidecar::stream::gtid::Flavour;
use sluice_sidecar::stream::position::StartPosition;
use std::sync::Arc;

fn text(text: &str) -> ColumnValue {
    ColumnValue::Text(text.into())
}

fn dec(text: &str) -> ColumnValue {
    ColumnValue::Dec(Decimal::from_str_exact(text).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_transactions_and_marks_are_what_was_committed() {
    for server in TestServer::both("rows", &[]).await {
        rows_and_marks(&server).await;
    }
}

async fn rows_and_marks(server: &TestServer) {
    server.migrate(&schemas()).await;
    let mut conn = server.conn().await;
    conn.query_drop("CREATE TABLE t_orders.noise (a TIME(3), b BLOB, c BIT(9))")
        .await
        .unwrap();
    conn.query_drop("CREATE TABLE t_balance.wide (id BIGINT PRIMARY KEY)")
        .await
        .unwrap();
    conn.query_drop(
        "ALTER TABLE t_ledger.entry ADD t TIME(3) NULL, ADD u BIGINT UNSIGNED NULL, ADD j JSON NULL, \
         ADD m MEDIUMINT NULL, ADD d DATETIME(6) NULL, ADD y YEAR NULL, ADD f DOUBLE NULL, ADD e ENUM('a','b') NULL, \
         ADD long_char CHAR(200) CHARACTER SET utf8mb4 NULL, ADD b BIT(9) NULL, ADD ts TIMESTAMP(2) NULL, ADD tail INT NULL",
    )
    .await
    .unwrap();
    let tail = tail(server, 901, &position(server).await, StartPosition::Now);
    conn.query_drop("INSERT INTO t_orders.noise VALUES ('-10:00:00.5', x'ff', b'1')")
        .await
        .unwrap();
    conn.query_drop("START TRANSACTION").await.unwrap();
    conn.query_drop(
        "INSERT INTO t_ledger.entry VALUES ('退','p',-5,'k','b','D',-12345678901234.5678,'CNY','r',-9223372036854775808,\
         '-10:00:00.5',18446744073709551615,'{}',-8388608,'2026-11-21 01:02:03.456789',2026,1.5,'b','长长',b'101','2026-11-21 01:02:03.45',-7)",
    )
    .await
    .unwrap_err();
    conn.query_drop(
        "INSERT INTO t_ledger.entry VALUES ('acct','p',-5,'k','b','D',-12345678901234.5678,'CNY','r',-9223372036854775808,\
         '-10:00:00.5',18446744073709551615,'{}',-8388608,'2026-11-21 01:02:03.456789',2026,1.5,'b','长长',b'101','2026-11-21 01:02:03.45',-7)",
    )
    .await
    .unwrap();
    conn.query_drop("INSERT INTO t_balance.balance (account_id,currency,balance,available,reserved,version,updated_us) VALUES ('a','CNY',1,1,0,1,0),('b','CNY',2,2,0,1,0)").await.unwrap();
    conn.query_drop("COMMIT").await.unwrap();
    conn.query_drop("UPDATE t_balance.balance SET available=0.25, version=2 WHERE account_id='a'")
        .await
        .unwrap();
    conn.query_drop("INSERT INTO t_orders.outbox VALUES ('a','tx','sig','[\"退票 ✓\"]',1)")
        .await
        .unwrap();
    conn.query_drop(
        "INSERT INTO t_guard.fence_token VALUES ('core-1',7,123) ON DUPLICATE KEY UPDATE token=8",
    )
    .await
    .unwrap();
    conn.query_drop("INSERT INTO t_guard.checkpoint VALUES ('binlog','p','p','h',456)")
        .await
        .unwrap();
    conn.query_drop("DELETE FROM t_balance.balance WHERE account_id='b'")
        .await
        .unwrap();

    let (all, control_rows, _) = tail.transactions(6);
    let sizes: Vec<_> = all.iter().map(|t| t.changes.len()).collect();
    assert_eq!(sizes, [3, 1, 1, 1, 1, 1]);
    let entry = &all[0].changes[0];
    let after = entry.after.as_ref().unwrap();
    let at = |name: &str| after[entry.table.column(name).unwrap()].clone();
    assert_eq!(
        (entry.table.name.as_str(), entry.op),
        ("entry", ChangeOp::Insert)
    );
    assert_eq!(
        (at("line"), at("amount"), at("created_us")),
        (
            ColumnValue::Int(-5),
            dec("-12345678901234.5678"),
            ColumnValue::Int(i64::MIN)
        )
    );
    assert_eq!(
        (at("u"), at("m"), at("y")),
        (
            dec("18446744073709551615"),
            ColumnValue::Int(-8_388_608),
            ColumnValue::Int(2026)
        )
    );
    assert_eq!(
        (at("t"), at("d"), at("f"), at("e"), at("b"), at("ts")),
        (
            ColumnValue::Opaque,
            ColumnValue::Opaque,
            ColumnValue::Opaque,
            ColumnValue::Opaque,
            ColumnValue::Opaque,
            ColumnValue::Opaque
        )
    );
    assert_eq!(
        (at("long_char"), at("tail")),
        (text("长长"), ColumnValue::Int(-7))
    );
    // MariaDB's JSON is text; MySQL's is a format of its own, which no rule reads.
    let json = if server.flavour() == Flavour::MariaDb {
        text("{}")
    } else {
        ColumnValue::Opaque
    };
    assert_eq!(at("j"), json);
    let update = &all[1].changes[0];
    assert_eq!(update.op, ChangeOp::Update);
    let available = update.table.column("available").unwrap();
    assert_eq!(update.before.as_ref().unwrap()[available], dec("1.0000"));
    assert_eq!(update.after.as_ref().unwrap()[available], dec("0.2500"));
    assert_eq!(
        all[2].changes[0].after.as_ref().unwrap()[3],
        text("[\"退票 ✓\"]")
    );
    assert_eq!(
        (all[5].changes[0].op, all[5].changes[0].after.is_none()),
        (ChangeOp::Delete, true)
    );
    let token = FenceToken {
        instance: "core-1".to_owned(),
        token: 7,
        updated_us: 123,
    };
    assert_eq!(
        control_rows,
        [
            ControlRow::Token(token),
            ControlRow::Heartbeat { updated_us: 456 }
        ]
    );
    assert_eq!(tail.blind.reason(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn resuming_loses_and_doubles_nothing() {
    for mut server in TestServer::both("resume", &[]).await {
        resume(&mut server).await;
    }
}

async fn resume(server: &mut TestServer) {
    server.migrate(&schemas()).await;
    let mut conn = server.conn().await;
    let from = position(server).await;
    let token = |n: u32| format!("REPLACE INTO t_guard.fence_token VALUES ('c',{n},1)");
    for n in 0..300 {
        conn.query_drop(token(n)).await.unwrap();
    }
    let tokens = |control_rows: Vec<ControlRow>| -> Vec<u64> {
        control_rows
            .into_iter()
            .filter_map(|m| {
                if let ControlRow::Token(t) = m {
                    Some(t.token)
                } else {
                    None
                }
            })
            .collect()
    };
    let first = tail(server, 902, &from, StartPosition::Now);
    let (_, control_rows, reached) = first.transactions(100);
    let mut seen = tokens(control_rows);
    drop(first);
    let second = tail(server, 903, &reached, StartPosition::Now);
    seen.extend(tokens(second.transactions(300 - seen.len()).1));
    // The server goes and comes back over the same connection settings.
    server.restart(&[]).await;
    let mut conn = server.conn().await;
    for n in 300..400 {
        conn.query_drop(token(n)).await.unwrap();
    }
    seen.extend(tokens(second.transactions(100).1));
    assert_eq!(seen, (0..400).collect::<Vec<u64>>());
    let oldest = tail(server, 904, "", StartPosition::Oldest);
    assert_eq!(
        tokens(oldest.transactions(400).1),
        (0..400).collect::<Vec<u64>>()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_makes_blind() {
    for server in TestServer::both("blind", &[]).await {
        unreadable(&server).await;
        match server.flavour() {
            Flavour::MariaDb => compressed_rows(&server).await,
            Flavour::MySql => compressed_payload(&server).await,
            Flavour::Feed => unreachable!("no server is a feed"),
        }
    }
}

async fn unreadable(server: &TestServer) {
    server.migrate(&schemas()).await;
    let mut conn = server.conn().await;
    let tail_now = async |id| tail(server, id, &position(server).await, StartPosition::Now);

    let never = match server.flavour() {
        Flavour::MariaDb => "0-1-99999".to_owned(),
        Flavour::MySql => position(server).await.replace(":1-", ":1-99999"),
        Flavour::Feed => unreachable!("no server is a feed"),
    };
    let lost = tail(server, 905, &never, StartPosition::Now);
    lost.blind_with("position lost").await;
    drop(lost);

    // What a dead primary had and this one never got: MySQL itself would go on.
    if server.flavour() == Flavour::MySql {
        let more = format!(
            "{},24bc7850-2c16-11e6-a073-0242ac110001:1-5",
            position(server).await
        );
        let lost = tail(server, 906, &more, StartPosition::Now);
        lost.blind_with("position lost: the server does not have everything that was read")
            .await;
    }

    let minimal = tail_now(907).await;
    conn.query_drop("SET SESSION binlog_row_image='MINIMAL'")
        .await
        .unwrap();
    conn.query_drop("INSERT INTO t_guard.fence_token VALUES ('s',1,1)")
        .await
        .unwrap();
    conn.query_drop("UPDATE t_guard.fence_token SET token=2")
        .await
        .unwrap();
    conn.query_drop("SET SESSION binlog_row_image='FULL'")
        .await
        .unwrap();
    minimal.blind_with("binlog_row_image = 'FULL'").await;
    drop(minimal);

    let nameless = tail_now(908).await;
    conn.query_drop("SET GLOBAL binlog_row_metadata='MINIMAL'")
        .await
        .unwrap();
    server
        .conn()
        .await
        .query_drop("UPDATE t_guard.fence_token SET token=3")
        .await
        .unwrap();
    conn.query_drop("SET GLOBAL binlog_row_metadata='FULL'")
        .await
        .unwrap();
    nameless.blind_with("binlog_row_metadata = 'FULL'").await;
}

/// MySQL's compressed transactions are read like any others.
async fn compressed_payload(server: &TestServer) {
    let tail = tail(server, 910, &position(server).await, StartPosition::Now);
    let mut conn = server.conn().await;
    conn.query_drop("SET SESSION binlog_transaction_compression=ON")
        .await
        .unwrap();
    conn.query_drop("START TRANSACTION").await.unwrap();
    for n in 0..50 {
        let row = format!(
            "INSERT INTO t_orders.outbox VALUES ('a','tx{n}','s','{}',1)",
            "x".repeat(2000)
        );
        conn.query_drop(row).await.unwrap();
    }
    conn.query_drop("COMMIT").await.unwrap();
    let (all, _, _) = tail.transactions(1);
    assert_eq!((all[0].changes.len(), tail.blind.reason()), (50, None));
}

/// MariaDB's compressed rows can't be decoded: said, not skipped.
async fn compressed_rows(server: &TestServer) {
    let mut conn = server.conn().await;
    let compressed = tail(server, 909, &position(server).await, StartPosition::Now);
    conn.query_drop("SET GLOBAL log_bin_compress=ON")
        .await
        .unwrap();
    server
        .conn()
        .await
        .query_drop(format!(
            "INSERT INTO t_orders.outbox VALUES ('a','tx','s','{}',1)",
            "x".repeat(2000)
        ))
        .await
        .unwrap();
    compressed.blind_with("log_bin_compress = OFF").await;

    let (fit, mut fits) = tokio::sync::watch::channel(None);
    let hosts = Arc::new(ServerHosts::new("mysql.url", &server.url(), 1).unwrap());
    tokio::spawn(preflight::watch(hosts, compressed.blind.clone(), fit));
    compressed
        .blind_with("preflight: log_bin_compress is ON")
        .await;
    conn.query_drop("SET GLOBAL log_bin_compress=OFF")
        .await
        .unwrap();
    let flavour = *fits.wait_for(Option::is_some).await.unwrap();
    assert_eq!(flavour, Some(Flavour::MariaDb));
}
