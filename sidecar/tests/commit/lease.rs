//! A lease that is taken over.

use super::*;

/// Two processes that were given one name don't depose each other in turn.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_earlier_life_of_this_process_is_taken_over() {
    let server = TestServer::start("names", &[]).await;
    let schemas = Schemas::under("t").unwrap();
    server.migrate(&schemas).await;
    let mut conn = server.conn().await;
    // Killed and started again under its name.
    let first = acquire(&mut conn, &schemas, "one", 1_000, LEASE_TTL_US)
        .await
        .unwrap()
        .unwrap();
    let second = acquire(&mut conn, &schemas, "one", 1_000, LEASE_TTL_US)
        .await
        .unwrap()
        .unwrap();
    assert!(second > first);
    // The first one lives: it was deposed, and finds its own name in a later epoch.
    let held = reacquire(&mut conn, &schemas, ("one", first), 1_000, LEASE_TTL_US)
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!((held.owner.as_str(), held.epoch), ("one", second));
    // A leadership of its own that it could not give up is its own.
    let third = reacquire(&mut conn, &schemas, ("one", second), 1_000, LEASE_TTL_US)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(third, second + 1);
    // Once it has run out anybody takes it.
    let late = 1_001 + LEASE_TTL_US;
    reacquire(&mut conn, &schemas, ("one", first), late, LEASE_TTL_US)
        .await
        .unwrap()
        .unwrap();
}
