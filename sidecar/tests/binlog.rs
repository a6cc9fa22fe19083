//! The binlog reader against a real MariaDB.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::float_arithmetic)] // A test may panic and print.

mod server;

use crossbeam_channel::Receiver;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use server::Server;
use sluice_contract::schema::Schemas;
use sluice_contract::telemetry::Readiness;
use sluice_sidecar::blind::Blind;
use sluice_sidecar::change::{Op, Transaction, Value};
use sluice_sidecar::pipeline::Feed;
use sluice_sidecar::sources::gtid::Flavour;
use sluice_sidecar::sources::{BinlogBatch, Mark, Start, Token, binlog, preflight};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

struct Tail {
    feed: Receiver<Feed>,
    blind: Blind,
    cancel: CancellationToken,
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

fn schemas() -> Schemas {
    Schemas::under("t").unwrap()
}

fn tail(server: &Server, server_id: u32, position: &str, start: Start) -> Tail {
    let settings = binlog::Settings {
        url: server.url(),
        server_id,
        schemas: schemas(),
        flavour: Flavour::MariaDb,
        position: position.to_owned(),
        start,
    };
    let (send, feed) = crossbeam_channel::bounded(64);
    let blind = Blind::new(Readiness::default(), prometheus::IntGauge::new("t", "t").unwrap());
    let cancel = CancellationToken::new();
    let reader = binlog::Reader::new(settings, send, blind.clone(), cancel.clone()).unwrap();
    std::thread::spawn(move || reader.run());
    Tail { feed, blind, cancel }
}

impl Tail {
    fn batch(&self) -> Option<BinlogBatch> {
        match self.feed.recv_timeout(Duration::from_secs(5)).ok()? {
            Feed::Binlog(batch) => Some(batch),
            other => panic!("{other:?}"),
        }
    }

    /// Reads until `count` transactions with watched rows came.
    fn transactions(&self, count: usize) -> (Vec<Arc<Transaction>>, Vec<Mark>, String) {
        let (mut all, mut marks, mut position) = (Vec::new(), Vec::new(), String::new());
        while all.len() < count {
            let batch =
                self.batch().unwrap_or_else(|| panic!("only {} came; blind: {:?}", all.len(), self.blind.reason()));
            for item in batch.items {
                all.push(item.transaction);
                marks.extend(item.marks);
            }
            position = batch.position;
        }
        (all, marks, position)
    }

    async fn blind_with(&self, text: &str) {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(8) {
            if self.blind.reason().is_some_and(|r| r.contains(text)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("not blind with {text:?} but {:?}", self.blind.reason());
    }
}

async fn position(server: &Server) -> String {
    preflight::position(&mut server.conn().await, Flavour::MariaDb).await.unwrap()
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn dec(text: &str) -> Value {
    Value::Dec(Decimal::from_str_exact(text).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_transactions_and_marks_are_what_was_committed() {
    let server = Server::start("rows", &[]).await;
    server.migrate(&schemas()).await;
    let mut conn = server.conn().await;
    conn.query_drop("CREATE TABLE t_orders.noise (a TIME(3), b BLOB, c BIT(9))").await.unwrap();
    conn.query_drop("CREATE TABLE t_balance.wide (id BIGINT PRIMARY KEY)").await.unwrap();
    conn.query_drop(
        "ALTER TABLE t_ledger.entry ADD t TIME(3) NULL, ADD u BIGINT UNSIGNED NULL, ADD j JSON NULL, \
         ADD m MEDIUMINT NULL, ADD d DATETIME(6) NULL, ADD y YEAR NULL, ADD f DOUBLE NULL, ADD e ENUM('a','b') NULL, \
         ADD long_char CHAR(200) CHARACTER SET utf8mb4 NULL, ADD b BIT(9) NULL, ADD ts TIMESTAMP(2) NULL, ADD tail INT NULL",
    )
    .await
    .unwrap();
    let tail = tail(&server, 901, &position(&server).await, Start::Now);
    conn.query_drop("INSERT INTO t_orders.noise VALUES ('-10:00:00.5', x'ff', b'1')").await.unwrap();
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
    conn.query_drop("UPDATE t_balance.balance SET available=0.25, version=2 WHERE account_id='a'").await.unwrap();
    conn.query_drop("INSERT INTO t_orders.outbox VALUES ('a','tx','sig','[\"退票 ✓\"]',1)").await.unwrap();
    conn.query_drop("INSERT INTO t_guard.fence_token VALUES ('core-1',7,123) ON DUPLICATE KEY UPDATE token=8")
        .await
        .unwrap();
    conn.query_drop("INSERT INTO t_guard.checkpoint VALUES ('binlog','p','p','h',456)").await.unwrap();
    conn.query_drop("DELETE FROM t_balance.balance WHERE account_id='b'").await.unwrap();

    let (all, marks, _) = tail.transactions(6);
    let sizes: Vec<_> = all.iter().map(|t| t.changes.len()).collect();
    assert_eq!(sizes, [3, 1, 1, 1, 1, 1]);
    let entry = &all[0].changes[0];
    let after = entry.after.as_ref().unwrap();
    let at = |name: &str| after[entry.table.column(name).unwrap()].clone();
    assert_eq!((entry.table.name.as_str(), entry.op), ("entry", Op::Insert));
    assert_eq!(
        (at("line"), at("amount"), at("created_us")),
        (Value::Int(-5), dec("-12345678901234.5678"), Value::Int(i64::MIN))
    );
    assert_eq!((at("u"), at("m"), at("y")), (dec("18446744073709551615"), Value::Int(-8_388_608), Value::Int(2026)));
    assert_eq!(
        (at("t"), at("d"), at("f"), at("e"), at("b"), at("ts")),
        (Value::Opaque, Value::Opaque, Value::Opaque, Value::Opaque, Value::Opaque, Value::Opaque)
    );
    assert_eq!((at("long_char"), at("j"), at("tail")), (text("长长"), text("{}"), Value::Int(-7)));
    let update = &all[1].changes[0];
    assert_eq!(update.op, Op::Update);
    let available = update.table.column("available").unwrap();
    assert_eq!(update.before.as_ref().unwrap()[available], dec("1.0000"));
    assert_eq!(update.after.as_ref().unwrap()[available], dec("0.2500"));
    assert_eq!(all[2].changes[0].after.as_ref().unwrap()[3], text("[\"退票 ✓\"]"));
    assert_eq!((all[5].changes[0].op, all[5].changes[0].after.is_none()), (Op::Delete, true));
    let token = Token { instance: "core-1".to_owned(), token: 7, updated_us: 123 };
    assert_eq!(marks, [Mark::Token(token), Mark::Heartbeat { updated_us: 456 }]);
    assert_eq!(tail.blind.reason(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn resuming_loses_and_doubles_nothing() {
    let mut server = Server::start("resume", &[]).await;
    server.migrate(&schemas()).await;
    let mut conn = server.conn().await;
    let from = position(&server).await;
    let token = |n: u32| format!("REPLACE INTO t_guard.fence_token VALUES ('c',{n},1)");
    for n in 0..300 {
        conn.query_drop(token(n)).await.unwrap();
    }
    let tokens = |marks: Vec<Mark>| -> Vec<u64> {
        marks.into_iter().filter_map(|m| if let Mark::Token(t) = m { Some(t.token) } else { None }).collect()
    };
    let first = tail(&server, 902, &from, Start::Now);
    let (_, marks, reached) = first.transactions(100);
    let mut seen = tokens(marks);
    drop(first);
    let second = tail(&server, 903, &reached, Start::Now);
    seen.extend(tokens(second.transactions(300 - seen.len()).1));
    // The server goes and comes back over the same connection settings.
    server.restart(&[]).await;
    let mut conn = server.conn().await;
    for n in 300..400 {
        conn.query_drop(token(n)).await.unwrap();
    }
    seen.extend(tokens(second.transactions(100).1));
    assert_eq!(seen, (0..400).collect::<Vec<u64>>());
    let oldest = tail(&server, 904, "", Start::Oldest);
    assert_eq!(tokens(oldest.transactions(400).1), (0..400).collect::<Vec<u64>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_makes_blind() {
    let server = Server::start("blind", &[]).await;
    server.migrate(&schemas()).await;
    let mut conn = server.conn().await;
    let tail_now = async |id| tail(&server, id, &position(&server).await, Start::Now);

    let lost = tail(&server, 905, "0-1-99999", Start::Now);
    lost.blind_with("position lost").await;
    drop(lost);

    let statement = tail_now(906).await;
    conn.query_drop("SET SESSION binlog_format='STATEMENT', tx_isolation='REPEATABLE-READ'").await.unwrap();
    conn.query_drop("INSERT INTO t_guard.fence_token VALUES ('s',1,1)").await.unwrap();
    conn.query_drop("SET SESSION binlog_format='ROW'").await.unwrap();
    statement.blind_with("came without its rows").await;
    drop(statement);

    let minimal = tail_now(907).await;
    conn.query_drop("SET SESSION binlog_row_image='MINIMAL'").await.unwrap();
    conn.query_drop("UPDATE t_guard.fence_token SET token=2").await.unwrap();
    conn.query_drop("SET SESSION binlog_row_image='FULL'").await.unwrap();
    minimal.blind_with("binlog_row_image = 'FULL'").await;
    drop(minimal);

    let nameless = tail_now(908).await;
    conn.query_drop("SET GLOBAL binlog_row_metadata='NO_LOG'").await.unwrap();
    server.conn().await.query_drop("UPDATE t_guard.fence_token SET token=3").await.unwrap();
    conn.query_drop("SET GLOBAL binlog_row_metadata='FULL'").await.unwrap();
    nameless.blind_with("binlog_row_metadata = 'FULL'").await;
    drop(nameless);

    let compressed = tail_now(909).await;
    conn.query_drop("SET GLOBAL log_bin_compress=ON").await.unwrap();
    server
        .conn()
        .await
        .query_drop(format!("INSERT INTO t_orders.outbox VALUES ('a','tx','s','{}',1)", "x".repeat(2000)))
        .await
        .unwrap();
    compressed.blind_with("log_bin_compress = OFF").await;

    let (fit, mut fits) = tokio::sync::watch::channel(None);
    tokio::spawn(preflight::watch(server.url(), compressed.blind.clone(), fit));
    compressed.blind_with("preflight: log_bin_compress is ON").await;
    conn.query_drop("SET GLOBAL log_bin_compress=OFF").await.unwrap();
    let flavour = *fits.wait_for(Option::is_some).await.unwrap();
    assert_eq!(flavour, Some(Flavour::MariaDb));
}
