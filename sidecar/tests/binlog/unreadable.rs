//! Unreadable things: a position that is lost makes blind, rows of a watched table that can't be
//! read are told.

use super::*;
use sluice_sidecar::binlog::server_watch;

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

pub async fn unreadable(server: &TestServer) {
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

    // Rows of a watched table that lack columns or names: told as changed unseen, each
    // transaction by itself, and reading goes on.
    let tail = tail_now(907).await;
    for statement in [
        "SET SESSION binlog_row_image='MINIMAL'",
        "INSERT INTO t_guard.fence_token VALUES ('s',1,1,NULL)",
        "UPDATE t_guard.fence_token SET token=2",
        "SET SESSION binlog_row_image='FULL'",
        "SET GLOBAL binlog_row_metadata='MINIMAL'",
    ] {
        conn.query_drop(statement).await.unwrap();
    }
    let mut nameless = server.conn().await;
    nameless
        .query_drop("UPDATE t_guard.fence_token SET token=3")
        .await
        .unwrap();
    for statement in [
        "SET GLOBAL binlog_row_metadata='FULL'",
        "UPDATE t_guard.fence_token SET token=4",
    ] {
        conn.query_drop(statement).await.unwrap();
    }
    let items = tail.items(4);
    let told = |at: usize| {
        items[at]
            .unlogged
            .iter()
            .map(|u| u.text.as_str())
            .collect::<String>()
    };
    assert!(told(1).contains("binlog_row_image = 'FULL'"), "{}", told(1));
    assert!(
        told(2).contains("binlog_row_metadata = 'FULL'"),
        "{}",
        told(2)
    );
    let tables: Vec<&str> = items[1..3]
        .iter()
        .flat_map(|i| &i.unlogged)
        .map(|u| u.table)
        .collect();
    assert_eq!(tables, ["fence_token", "fence_token"]);
    assert_eq!((told(3).as_str(), items[3].control_rows.len()), ("", 1));
    tail.until_it_sees().await;
}

/// MySQL's compressed transactions are read like any others.
pub async fn compressed_payload(server: &TestServer) {
    let tail = tail(server, 910, &position(server).await, StartPosition::Now);
    let mut conn = server.conn().await;
    conn.query_drop("SET SESSION binlog_transaction_compression=ON")
        .await
        .unwrap();
    conn.query_drop("START TRANSACTION").await.unwrap();
    for n in 0..50 {
        let row = format!(
            "INSERT INTO t_orders.outbox (account_id,tx_id,signature,events,created_us) VALUES ('a','tx{n}','s','{}',1)",
            "x".repeat(2000)
        );
        conn.query_drop(row).await.unwrap();
    }
    conn.query_drop("COMMIT").await.unwrap();
    let (all, _, _) = tail.transactions(1);
    assert_eq!((all[0].changes.len(), tail.blind.reason()), (50, None));
}

/// MariaDB's compressed rows can't be decoded: told as changed unseen, and blind while the server
/// goes on writing them. Those of others are passed.
pub async fn compressed_rows(server: &TestServer) {
    let mut conn = server.conn().await;
    let compressed = tail(server, 909, &position(server).await, StartPosition::Now);
    conn.query_drop("SET GLOBAL log_bin_compress=ON")
        .await
        .unwrap();
    server
        .conn()
        .await
        .query_drop(format!(
            "INSERT INTO t_orders.outbox (account_id,tx_id,signature,events,created_us) VALUES ('a','tx','s','{}',1)",
            "x".repeat(2000)
        ))
        .await
        .unwrap();
    let items = compressed.items(1);
    let text = &items[0].unlogged[0].text;
    assert!(text.contains("log_bin_compress = OFF"), "{text}");

    let (fit, mut fits) = tokio::sync::watch::channel(None);
    let hosts = Arc::new(ServerHosts::new("mysql.url", &server.url(), 1).unwrap());
    tokio::spawn(server_watch::watch(hosts, compressed.blind.clone(), fit));
    compressed
        .blind_with("preflight: log_bin_compress is ON")
        .await;
    conn.query_drop("SET GLOBAL log_bin_compress=OFF")
        .await
        .unwrap();
    let flavour = *fits.wait_for(Option::is_some).await.unwrap();
    assert_eq!(flavour, Some(Flavour::MariaDb));
}
