use super::*;
use anyhow::bail;

const DEADLINE: Duration = Duration::from_secs(5);
const SHORT: Duration = Duration::from_millis(50);

fn supervisor() -> (Supervisor, Readiness) {
    let readiness = Readiness::default();
    let parts = Supervisor::new(readiness.clone(), CancellationToken::new());
    (parts, readiness)
}

/// Checks that the part's end is the set's first, and that readiness names it.
async fn check(parts: &Supervisor, readiness: &Readiness, name: &str, how: PartEndCause) {
    let end = tokio::time::timeout(DEADLINE, parts.first_end())
        .await
        .unwrap();
    let waits = readiness.waits_for();
    assert_eq!(waits[&format!("part {name}")], how.to_string());
    assert_eq!((&*end.name, end.how), (name, how));
}

#[tokio::test]
async fn a_task_that_returns_ends_the_set() {
    let (parts, readiness) = supervisor();
    parts.spawn("steady", std::future::pending());
    parts.spawn("short", async { Ok(()) });
    check(&parts, &readiness, "short", PartEndCause::Ended).await;
    assert_eq!(parts.running(), [Arc::from("steady")]);
}

#[tokio::test]
async fn a_task_that_fails_ends_the_set_with_its_reason() {
    let (parts, readiness) = supervisor();
    parts.spawn("reader", async { bail!("no file") });
    let how = PartEndCause::Failed("no file".into());
    check(&parts, &readiness, "reader", how).await;
}

#[tokio::test]
async fn a_task_that_panics_ends_the_set_with_its_text() {
    let (parts, readiness) = supervisor();
    parts.spawn("writer", async { panic!("row {} is gone", 7) });
    let how = PartEndCause::Panicked("row 7 is gone".into());
    check(&parts, &readiness, "writer", how).await;
}

#[tokio::test]
async fn a_thread_ends_the_set_however_it_ends() {
    for (name, how) in [
        ("returns", PartEndCause::Ended),
        ("fails", PartEndCause::Failed("no file".into())),
        ("panics", PartEndCause::Panicked("gone".into())),
    ] {
        let (parts, readiness) = supervisor();
        let made = how.clone();
        parts
            .spawn_thread(name, move || match made {
                PartEndCause::Ended => Ok(()),
                PartEndCause::Failed(why) => bail!("{why}"),
                PartEndCause::Panicked(why) => panic!("{why}"),
            })
            .unwrap();
        check(&parts, &readiness, name, how).await;
    }
}

#[tokio::test]
async fn the_end_of_a_groups_part_is_the_programs_and_is_told_to_everybody() {
    let (parts, readiness) = supervisor();
    let stage = parts.group().group();
    stage.spawn("deep", async { Ok(()) });
    for set in [&parts, &stage, &parts] {
        check(set, &readiness, "deep", PartEndCause::Ended).await;
    }
}

#[tokio::test]
async fn an_optional_part_ends_alone() {
    let (parts, readiness) = supervisor();
    parts.spawn_optional("recorder", async { panic!("full") });
    tokio::time::timeout(SHORT, parts.first_end())
        .await
        .unwrap_err();
    assert!(parts.running().is_empty() && readiness.waits_for().is_empty());
}

#[tokio::test]
async fn a_group_stops_alone_and_its_orderly_ends_are_none() {
    let (parts, readiness) = supervisor();
    let (first, second) = (parts.group(), parts.group());
    for (stage, name) in [(&first, "a"), (&second, "b")] {
        let stop = stage.stop_token();
        stage.spawn(name, async move {
            stop.cancelled().await;
            Ok(())
        });
    }
    first.stop(DEADLINE).await.unwrap();
    assert!(first.running().is_empty() && !second.stop_token().is_cancelled());
    parts.stop(DEADLINE).await.unwrap();
    second.stop(DEADLINE).await.unwrap();
    assert!(readiness.waits_for().is_empty());
}

#[tokio::test]
async fn a_loop_is_dropped_by_the_stop_and_its_end_is_an_end() {
    let (parts, readiness) = supervisor();
    parts.spawn_loop("steady", std::future::pending());
    parts.stop(DEADLINE).await.unwrap();
    let (parts, readiness_of_second) = supervisor();
    parts.spawn_loop("short", std::future::ready(()));
    check(&parts, &readiness_of_second, "short", PartEndCause::Ended).await;
    assert!(readiness.waits_for().is_empty());
}

#[tokio::test]
async fn a_stop_names_what_runs_on_and_what_failed_meanwhile() {
    let (parts, _) = supervisor();
    let stop = parts.stop_token();
    parts.spawn("deaf", std::future::pending());
    parts.spawn("hasty", async move {
        stop.cancelled().await;
        bail!("not written")
    });
    let unfinished = parts.stop(SHORT).await.unwrap_err();
    let how = PartEndCause::Failed("not written".into());
    assert_eq!(unfinished.running, [Arc::from("deaf")]);
    let name = Arc::from("hasty");
    assert_eq!(unfinished.failed, [PartEnd { name, how }]);
}

#[tokio::test]
async fn a_stop_waits_for_jobs_and_starts_nothing_any_more() {
    let (parts, _) = supervisor();
    let (sender, mut done) = oneshot::channel();
    parts.job(async move {
        tokio::time::sleep(SHORT).await;
        sender.send("done").unwrap();
    });
    parts.stop(DEADLINE).await.unwrap();
    assert_eq!(done.try_recv().unwrap(), "done");
    parts.spawn("late", std::future::pending());
    assert!(parts.running().is_empty());
}
