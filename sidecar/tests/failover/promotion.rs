//! A promoted replica.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_replica_goes_on_and_one_that_lost_something_does_not() {
    promoted(Flavour::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_replica_goes_on_on_mysql_too() {
    promoted(Flavour::MySql).await;
}

pub async fn promoted(flavour: Flavour) {
    let Some((mut first, mut second)) = two("primary", flavour).await else {
        return;
    };
    first.migrate(&schemas()).await;
    let mut sidecar = SidecarProcess::start(first.dir(), "failover", &hosts(&first, &second));
    sidecar.until_ready(None).await;
    faults(&first, 1..=40).await;
    sidecar.until_token(40).await;
    caught_up(&first, &second).await;

    // While the primary is away and nobody is promoted, nothing is taken over.
    first.kill();
    sidecar.until_ready(Some("read-only")).await;
    promote(&second).await;
    sidecar.until_ready(None).await;
    faults(&second, 41..=80).await;
    sidecar.until_token(80).await;
    let mut conn = second.conn().await;
    assert_eq!(verdicts(&mut conn, 80).await, (80, 80));

    // The old one comes back as a replica, falls behind, and is promoted without the rest.
    first.restart(&["--read-only=ON"]).await;
    let mut old = first.conn().await;
    if flavour == Flavour::MariaDb {
        old.query_drop("SET GLOBAL gtid_slave_pos=@@gtid_binlog_pos")
            .await
            .unwrap();
    }
    sidecar.until_ready(None).await;
    second.kill();
    old.query_drop("SET GLOBAL read_only=OFF").await.unwrap();
    faults(&first, 90..=99).await;
    sidecar
        .until_ready(Some("does not have everything that was read"))
        .await;

    // A person has checked the gap and starts it again: it resumes where that server is.
    sidecar.process.restart().unwrap();
    sidecar.until_ready(None).await;
    faults(&first, 100..=100).await;
    sidecar.until_token(100).await;
    let (found, accounts) = verdicts(&mut old, 999).await;
    assert_eq!(
        (found, accounts),
        (51, 51),
        "40 of before, and all that this server took since"
    );
    assert!(second.dir().exists());
    second.kill();
}
