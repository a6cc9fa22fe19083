//! XA transactions: what they changed counts when they are committed, and never if they
//! are rolled back; whatever lies between.

use super::*;
use crate::server::balances::{verdicts, write_token};
use crate::server::daemon::SidecarProcess;
use sluice_sidecar::stream::batches::WatchedTransaction;

const TOKEN: &str = "INSERT INTO t_guard.fence_token (instance,token,updated_us) VALUES";

/// One XA transaction up to its second phase.
async fn prepare(server: &TestServer, name: &str, statements: &[&str]) {
    let mut conn = server.conn().await;
    conn.query_drop(format!("XA START '{name}'")).await.unwrap();
    all(&mut conn, statements).await;
    conn.query_drop(format!("XA END '{name}'")).await.unwrap();
    conn.query_drop(format!("XA PREPARE '{name}'"))
        .await
        .unwrap();
    conn.disconnect().await.unwrap();
}

/// The instances of the tokens that each transaction wrote.
fn instances(items: &[WatchedTransaction]) -> Vec<Vec<String>> {
    let instance = |change: &std::sync::Arc<sluice_sidecar::stream::change::RowChange>| {
        let at = change.table.column("instance").unwrap();
        match &change.after.as_ref().unwrap()[at] {
            ColumnValue::Text(text) => text.to_string(),
            other => panic!("{other:?}"),
        }
    };
    let of = |item: &WatchedTransaction| item.transaction.changes.iter().map(instance).collect();
    items.iter().map(of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn xa_counts_when_it_is_committed() {
    for mut server in TestServer::both("xa", &[]).await {
        server.migrate(&schemas()).await;
        let mut conn = server.conn().await;
        all(
            &mut conn,
            &[
                "CREATE DATABASE other",
                "CREATE TABLE other.doc (id INT PRIMARY KEY)",
            ],
        )
        .await;
        let tail = tail(&server, 940, &position(&server).await, StartPosition::Now);
        let row = |name: &str| format!("{TOKEN} ('{name}',1,1)");

        prepare(&server, "undone", &[&row("undone")]).await;
        prepare(&server, "kept", &[&row("kept"), &row("kept-too")]).await;
        prepare(&server, "theirs", &["INSERT INTO other.doc VALUES (1)"]).await;
        all(
            &mut conn,
            &[
                &row("beside"),
                "XA ROLLBACK 'undone'",
                "XA COMMIT 'theirs'",
                "XA START 'one'",
                &row("one"),
                "XA END 'one'",
                "XA COMMIT 'one' ONE PHASE",
            ],
        )
        .await;
        let items = tail.items(2);
        assert_eq!(instances(&items), [["beside"], ["one"]]);

        // The connection breaks, and the prepared transaction outlives its server.
        server.restart(&[]).await;
        let mut conn = server.conn().await;
        all(&mut conn, &["XA COMMIT 'kept'", &row("last")]).await;
        let items = tail.items(2);
        let want: [&[&str]; 2] = [&["kept", "kept-too"], &["last"]];
        assert_eq!(instances(&items), want);
        assert_eq!(items[0].control_rows.len(), 2);
        let unlogged: Vec<_> = items.iter().flat_map(|i| &i.unlogged).collect();
        assert!(unlogged.is_empty(), "{unlogged:?}");
        tail.until_it_sees().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_prepared_before_a_restart_of_the_sidecar_is_judged() {
    for server in TestServer::both("xa-restart", &[]).await {
        server.migrate(&schemas()).await;
        let mut conn = server.conn().await;
        let url = format!("url = '{}'", server.url());
        let mut sidecar = SidecarProcess::start(server.dir(), "xa", &url);
        sidecar.until_ready(None).await;
        let wrong = "INSERT INTO t_balance.balance \
            (account_id,currency,balance,available,reserved,version,updated_us) \
            VALUES ('f000001','CNY',10,5,4,1,0)";
        prepare(&server, "held", &[wrong]).await;
        // Checkpoints pass the prepared transaction, one after the other.
        for token in 1..=3 {
            write_token(&mut conn, token).await.unwrap();
            sidecar.until_token(token).await;
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        }
        assert_eq!(verdicts(&mut conn, 9).await, (0, 0));
        sidecar.process.restart().unwrap();
        sidecar.until_ready(None).await;
        conn.query_drop("XA COMMIT 'held'").await.unwrap();
        write_token(&mut conn, 4).await.unwrap();
        sidecar.until_token(4).await;
        assert_eq!(verdicts(&mut conn, 9).await, (1, 1));
    }
}
