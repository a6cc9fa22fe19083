//! Names as the server keeps them.

use super::*;
use crate::server::tail::tail_in;
use sluice_contract::schema::Schemas;

/// With `lower_case_table_names` the server keeps `T_orders` as `t_orders`: configured in
/// capitals, it must be seen all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_schema_in_capitals_is_watched_where_the_server_folds_names() {
    let server = TestServer::start("names", &["--lower-case-table-names=1"]).await;
    let schemas = Schemas::under("T").unwrap();
    server.migrate(&schemas).await;
    let mut conn = server.conn().await;
    let tail = tail_in(
        &schemas,
        &server.url(),
        server.flavour(),
        970,
        &position(&server).await,
        StartPosition::Now,
    );
    all(
        &mut conn,
        &["INSERT INTO T_guard.FENCE_TOKEN VALUES ('core',1,1,NULL)"],
    )
    .await;
    assert_eq!(tail.items(1)[0].control_rows.len(), 1);
    tail.until_it_sees().await;
}

/// Without it, a table that differs in case alone is somebody else's.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_another_case_is_another_table() {
    for server in TestServer::both("cases", &[]).await {
        server.migrate(&schemas()).await;
        let mut conn = server.conn().await;
        let tail = tail(&server, 971, &position(&server).await, StartPosition::Now);
        all(
            &mut conn,
            &[
                "CREATE DATABASE T_guard",
                "CREATE TABLE T_guard.fence_token (z INT)",
                "INSERT INTO T_guard.fence_token VALUES (1)",
                "INSERT INTO t_guard.fence_token (instance,token,updated_us) VALUES ('core',1,1)",
            ],
        )
        .await;
        let items = tail.items(1);
        assert_eq!(items[0].control_rows.len(), 1, "{items:?}");
        tail.until_it_sees().await;
    }
}
