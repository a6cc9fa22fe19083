//! The order in which ends are heard.

use super::spawn;
use sluice_contract::supervisor::{PartEndCause, Supervisor};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A source that gives way says so; that the stage behind it has nothing left to read is not
/// the death of a part, however late the source is heard.
#[tokio::test]
async fn a_source_that_gives_way_is_heard_before_the_end_of_its_queue() {
    let parts = Supervisor::default();
    let moved = CancellationToken::new();
    let (feed, fed) = crossbeam_channel::bounded::<()>(1);
    let gives_way = moved.clone();
    spawn(&parts, "source", move || {
        let _ends_with_us = feed;
        gives_way.cancel();
        Ok(())
    })
    .unwrap();
    let (drained, was_drained) = std::sync::mpsc::channel();
    spawn(&parts, "evaluator", move || {
        while fed.recv().is_ok() {}
        drained.send(()).unwrap();
        Ok(())
    })
    .unwrap();
    // Whoever waits for both looks at them only now, and asks for dead parts first.
    tokio::task::spawn_blocking(move || was_drained.recv().unwrap())
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    tokio::select! {
        biased;
        end = parts.first_end() => panic!("{end}"),
        () = moved.cancelled() => {}
    }
    parts.stop(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn a_stage_that_fails_is_heard_at_once_and_by_its_own_name() {
    let parts = Supervisor::default();
    let (feed, fed) = crossbeam_channel::bounded::<()>(1);
    spawn(&parts, "source", move || {
        let _ends_with_us = feed;
        anyhow::bail!("no such binlog")
    })
    .unwrap();
    spawn(&parts, "evaluator", move || {
        while fed.recv().is_ok() {}
        Ok(())
    })
    .unwrap();
    let end = parts.first_end().await;
    assert_eq!(
        (&*end.name, end.how),
        ("source", PartEndCause::Failed("no such binlog".to_owned()))
    );
    parts.stop(Duration::from_secs(5)).await.unwrap();
}
