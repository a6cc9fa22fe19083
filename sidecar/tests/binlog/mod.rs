//! The binlog reader against a real MariaDB and a real MySQL.

mod resume;
mod unreadable;

use crate::server::TestServer;
use crate::server::tail::{position, schemas, tail};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_sidecar::binlog::hosts::ServerHosts;
use sluice_sidecar::stream::batches::{ControlRow, FenceToken};
use sluice_sidecar::stream::change::{ChangeOp, ColumnValue, RowChange};
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
    widen_tables(&mut conn).await;
    let tail = tail(server, 901, &position(server).await, StartPosition::Now);
    write_rows(&mut conn).await;

    let (all, control_rows, _) = tail.transactions(6);
    let sizes: Vec<_> = all.iter().map(|t| t.changes.len()).collect();
    assert_eq!(sizes, [3, 1, 1, 1, 1, 1]);
    entry_is_right(&all[0].changes[0], server.flavour());
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

/// A column of every type that rules may meet.
async fn widen_tables(conn: &mut Conn) {
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
}

/// Six transactions, of which the first one has three rows, and others that nobody watches.
async fn write_rows(conn: &mut Conn) {
    conn.query_drop("INSERT INTO t_orders.noise VALUES ('-10:00:00.5', x'ff', b'1')")
        .await
        .unwrap();
    conn.query_drop("START TRANSACTION").await.unwrap();
    conn.query_drop(
        "INSERT INTO t_ledger.entry VALUES ('退','p',-5,'k','b','D',-12345678901234.5678,'CNY','r',-9223372036854775808,'shop','',\
         '-10:00:00.5',18446744073709551615,'{}',-8388608,'2026-11-21 01:02:03.456789',2026,1.5,'b','长长',b'101','2026-11-21 01:02:03.45',-7)",
    )
    .await
    .unwrap_err();
    conn.query_drop(
        "INSERT INTO t_ledger.entry VALUES ('acct','p',-5,'k','b','D',-12345678901234.5678,'CNY','r',-9223372036854775808,'shop','',\
         '-10:00:00.5',18446744073709551615,'{}',-8388608,'2026-11-21 01:02:03.456789',2026,1.5,'b','长长',b'101','2026-11-21 01:02:03.45',-7)",
    )
    .await
    .unwrap();
    conn.query_drop("INSERT INTO t_balance.balance (account_id,currency,balance,available,reserved,version,updated_us) VALUES ('a','CNY',1,1,0,1,0),('b','CNY',2,2,0,1,0)").await.unwrap();
    conn.query_drop("COMMIT").await.unwrap();
    conn.query_drop("UPDATE t_balance.balance SET available=0.25, version=2 WHERE account_id='a'")
        .await
        .unwrap();
    conn.query_drop("INSERT INTO t_orders.outbox (account_id,tx_id,signature,events,created_us) VALUES ('a','tx','sig','[\"退票 ✓\"]',1)")
        .await
        .unwrap();
    conn.query_drop(
        "INSERT INTO t_guard.fence_token (instance,token,updated_us) VALUES ('core-1',7,123) ON DUPLICATE KEY UPDATE token=8",
    )
    .await
    .unwrap();
    conn.query_drop("INSERT INTO t_guard.checkpoint (source,position,replay_from,rules_hash,updated_us) VALUES ('binlog','p','p','h',456)")
        .await
        .unwrap();
    conn.query_drop("DELETE FROM t_balance.balance WHERE account_id='b'")
        .await
        .unwrap();
}

fn entry_is_right(entry: &RowChange, flavour: Flavour) {
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
    let json = if flavour == Flavour::MariaDb {
        text("{}")
    } else {
        ColumnValue::Opaque
    };
    assert_eq!(at("j"), json);
}
