//! The whole sidecar on MySQL: migrations, lease, fence, verdicts, breakers, a kill,
//! and a restart of the server.

use crate::server::TestServer;
use crate::server::balances::{verdicts, write_balance, write_token};
use crate::server::daemon::SidecarProcess;
use crate::server::tail::schemas;
use mysql_async::prelude::Queryable;

#[tokio::test(flavor = "multi_thread")]
async fn it_works_as_on_mariadb() {
    let Some(mut server) = TestServer::mysql("mysql", &[]).await else {
        return;
    };
    server.migrate(&schemas()).await;
    let mut conn = server.conn().await;
    conn.query_drop("SET GLOBAL binlog_rows_query_log_events=OFF")
        .await
        .unwrap();
    let mut sidecar =
        SidecarProcess::start(server.dir(), "mysql", &format!("url = '{}'", server.url()));
    sidecar
        .until_ready(Some("SET GLOBAL binlog_rows_query_log_events = 'ON'"))
        .await;
    conn.query_drop("SET GLOBAL binlog_rows_query_log_events=ON")
        .await
        .unwrap();
    sidecar.until_ready(None).await;

    for number in 1..=20 {
        write_balance(&mut conn, number, true).await.unwrap();
        write_balance(&mut conn, number, false).await.unwrap();
        write_token(&mut conn, number).await.unwrap();
        if number == 10 {
            sidecar.process.restart().unwrap();
        }
    }
    sidecar.until_ready(None).await;
    sidecar.fence().await.unwrap().until(20).await;
    assert_eq!(verdicts(&mut conn, 999_999).await, (20, 20));
    let open: Option<u64> = conn
        .query_first(
            "SELECT COUNT(*) FROM t_guard.breaker WHERE state='open' AND scope='account' AND scope_key LIKE 'f%'",
        )
        .await
        .unwrap();
    assert_eq!(open, Some(20));
    let position: Option<String> = conn
        .query_first("SELECT position FROM t_guard.checkpoint")
        .await
        .unwrap();
    assert!(
        position.is_some_and(|p| p.contains(":1-")),
        "no position of MySQL"
    );

    server.restart(&[]).await;
    let mut conn = server.conn().await;
    write_balance(&mut conn, 21, true).await.unwrap();
    write_token(&mut conn, 21).await.unwrap();
    sidecar.until_ready(None).await;
    sidecar.fence().await.unwrap().until(21).await;
    assert_eq!(verdicts(&mut conn, 999_999).await, (21, 21));
}
