//! A planned switch.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_planned_switch_moves_it_while_the_old_primary_lives() {
    planned(Flavour::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planned_switch_moves_it_on_mysql_too() {
    planned(Flavour::MySql).await;
}

pub async fn planned(flavour: Flavour) {
    let Some((first, second)) = two("planned", flavour).await else {
        return;
    };
    first.migrate(&schemas()).await;
    let sidecar = SidecarProcess::start(first.dir(), "planned", &hosts(&first, &second));
    sidecar.until_ready(None).await;
    faults(&first, 1..=10).await;
    sidecar.until_token(10).await;
    caught_up(&first, &second).await;
    first
        .conn()
        .await
        .query_drop("SET GLOBAL read_only=ON")
        .await
        .unwrap();
    promote(&second).await;
    faults(&second, 11..=20).await;
    sidecar.until_token(20).await;
    sidecar.until_ready(None).await;
    assert_eq!(verdicts(&mut second.conn().await, 999).await, (20, 20));
}
