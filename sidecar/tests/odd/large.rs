//! Rows of others that are larger than what the server allows to its clients.

use super::*;

const MEBIBYTE: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_row_above_the_packet_limit_elsewhere_stops_nothing() {
    for server in TestServer::both("large", &["--max-allowed-packet=16M"]).await {
        server.migrate(&schemas()).await;
        let mut conn = server.conn().await;
        let limit: Option<usize> = conn
            .query_first("SELECT @@max_allowed_packet")
            .await
            .unwrap();
        assert_eq!(limit, Some(16 * MEBIBYTE));
        let tail = tail(&server, 950, &position(&server).await, StartPosition::Now);
        let nine = 9 * MEBIBYTE;
        all(
            &mut conn,
            &[
                "CREATE DATABASE other",
                "CREATE TABLE other.doc (id INT PRIMARY KEY, a LONGBLOB, b LONGBLOB)",
                &format!(
                    "INSERT INTO other.doc VALUES (1, REPEAT('a',{nine}), REPEAT('b',{nine}))"
                ),
                &format!("UPDATE other.doc SET a = REPEAT('c',{nine})"),
                "INSERT INTO t_guard.fence_token (instance,token,updated_us) VALUES ('behind',1,1)",
            ],
        )
        .await;
        assert_eq!(tail.items(1)[0].control_rows.len(), 1);
        tail.until_it_sees().await;
    }
}
