//! Odd things that people do to a database that is watched: odd data in other tables, rows of
//! many megabytes, new columns, and statements that leave no rows.

mod administration;
mod domains;
mod large;
mod names;
mod rowless;
mod xa;

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

async fn make_odd_tables(conn: &mut mysql_async::Conn, flavour: Flavour) {
    // As an old application beside us has it: no strict mode, another character set.
    let own_types = match flavour {
        Flavour::MariaDb => "u UUID, i INET6",
        Flavour::MySql => "u VECTOR(3), i JSON",
        Flavour::Feed => unreachable!("no server is a feed"),
    };
    let create = format!(
        "CREATE TABLE other.odd (a TIME(3), b DATETIME, c DATE, d VARCHAR(20), e LONGBLOB, f BIT(9), g GEOMETRY, \
         h YEAR, j ENUM('x','y'), k SET('x','y'), l DECIMAL(65,30), m FLOAT, n TIMESTAMP(6) NULL, {own_types}) CHARSET latin1"
    );
    all(
        conn,
        &[
            "CREATE DATABASE other",
            &create,
            "CREATE TABLE t_orders.beside (v VARCHAR(9)) CHARSET latin1",
        ],
    )
    .await;
}

async fn write_odd_rows(conn: &mut mysql_async::Conn) {
    let entry = |n: u32, rest: &str| {
        format!(
            "INSERT INTO t_ledger.entry VALUES ('acct','p',{n},'k','b','D',1,'CNY','r',{n},'shop',''{rest})"
        )
    };
    all(
        conn,
        &[
            "SET SESSION sql_mode=''",
            "INSERT INTO other.odd (a,b,c,d,f,h,l,m) VALUES ('-838:59:59.5','0000-00-00 00:00:00','0000-00-00',x'fffe80',b'1',0,-0.1,-1e30)",
            "INSERT INTO other.odd (e) VALUES (REPEAT('x', 20*1024*1024))",
            "INSERT INTO t_orders.beside VALUES (x'e9ff')",
            &entry(1, ""),
            // The longest text that fits: its event is longer than any single packet.
            "INSERT INTO t_orders.outbox (account_id,tx_id,signature,events,created_us) VALUES ('a','big','s',REPEAT('y', 16777215),1)",
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
}

async fn odd(server: &TestServer) {
    server.migrate(&schemas()).await;
    let mut conn = server.conn().await;
    make_odd_tables(&mut conn, server.flavour()).await;
    let tail = tail(server, 920, &position(server).await, StartPosition::Now);
    write_odd_rows(&mut conn).await;
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
    let want = [(12, 1), (13, 2), (13, 3), (13, 4), (14, 5), (14, 1)]
        .map(|(columns, line)| (columns, ColumnValue::Int(line)));
    assert_eq!(lines, want);
    let big = &items[1].transaction.changes[0];
    let ColumnValue::Text(events) = &big.after.as_ref().unwrap()[3] else {
        panic!("not text")
    };
    assert_eq!((events.len(), tail.blind.reason()), (16_777_215, None));
}
