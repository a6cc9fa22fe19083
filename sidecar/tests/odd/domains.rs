//! Several servers that wrote in one MariaDB domain, as after each failover.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_of_several_servers_is_one_position() {
    let mut server = TestServer::start("domains", &[]).await;
    server.migrate(&schemas()).await;
    let mut conn = server.conn().await;
    let token = |name: &str| {
        format!("INSERT INTO t_guard.fence_token (instance,token,updated_us) VALUES ('{name}',1,1)")
    };
    all(
        &mut conn,
        &[
            &token("of-1"),
            "SET SESSION server_id=2",
            &token("of-2"),
            "SET SESSION server_id=3",
            &token("of-3"),
            "FLUSH BINARY LOGS",
        ],
    )
    .await;
    // The first file is kept until the engine has written what it needs of it.
    loop {
        conn.query_drop("PURGE BINARY LOGS TO 'bin.000002'")
            .await
            .unwrap();
        let files: Vec<mysql_async::Row> = conn.query("SHOW BINARY LOGS").await.unwrap();
        if files.len() == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    all(&mut conn, &[&token("later")]).await;
    // The oldest file begins with a list of all three servers.
    let tail = tail(&server, 980, "", StartPosition::Oldest);
    let (_, rows, reached) = tail.transactions(1);
    assert_eq!(rows.len(), 1);
    assert_eq!(reached, position(&server).await);
    // It is gone on from after the connection broke.
    server.restart(&[]).await;
    let mut conn = server.conn().await;
    all(&mut conn, &[&token("after")]).await;
    let (_, rows, _) = tail.transactions(1);
    assert_eq!(rows.len(), 1);
    tail.until_it_sees().await;
}
