//! Statements without rows.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_without_rows_is_named_and_the_stream_goes_on() {
    for server in TestServer::both("unlogged", &[]).await {
        statements(&server).await;
    }
}

pub async fn statements(server: &TestServer) {
    server.migrate(&schemas()).await;
    let mut conn = server.conn().await;
    let row = "INSERT INTO t_guard.fence_token (instance,token,updated_us) VALUES ('core',1,1)";
    let tail = tail(server, 930, &position(server).await, StartPosition::Now);
    all(
        &mut conn,
        &[
            row,
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            "SET SESSION binlog_format='STATEMENT'",
            "INSERT INTO t_balance.balance (account_id,currency,balance,available,reserved,version,updated_us) VALUES ('a','CNY',1,1,0,1,0)",
            "START TRANSACTION",
            "UPDATE t_balance.balance SET balance=9, available=9",
            "/* app */ UPDATE t_balance.balance SET balance=10, available=10",
            "DELETE FROM t_ledger.entry WHERE account_id='a'",
            "COMMIT",
            "SET SESSION binlog_format='ROW'",
            "UPDATE t_guard.fence_token SET token=2",
            "TRUNCATE TABLE t_ledger.entry",
            "USE t_orders",
            "ALTER TABLE attempt DROP COLUMN code",
            "DROP TABLE cases",
            "UPDATE t_guard.fence_token SET token=3",
        ],
    )
    .await;
    let items = tail.items(8);
    let said: Vec<Vec<(&str, usize)>> = items
        .iter()
        .map(|item| item.unlogged.iter().map(|u| (u.table, u.count)).collect())
        .collect();
    let want: [&[(&str, usize)]; 8] = [
        &[],
        &[("balance", 1)],
        &[("balance", 2), ("entry", 1)],
        &[],
        &[("entry", 1)],
        &[("attempt", 1)],
        &[("cases", 1)],
        &[],
    ];
    assert_eq!(said, want);
    assert!(
        items[2].unlogged[0].text.contains("balance=9"),
        "{:?}",
        items[2].unlogged
    );
    assert_eq!(items[7].control_rows.len(), 1);
    assert_eq!(tail.blind.reason(), None);
}
