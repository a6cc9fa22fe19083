//! Reading goes on where it stopped.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn resuming_loses_and_doubles_nothing() {
    for mut server in TestServer::both("resume", &[]).await {
        resume(&mut server).await;
    }
}

pub async fn resume(server: &mut TestServer) {
    server.migrate(&schemas()).await;
    let mut conn = server.conn().await;
    let from = position(server).await;
    let token = |n: u32| {
        format!("REPLACE INTO t_guard.fence_token (instance,token,updated_us) VALUES ('c',{n},1)")
    };
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
