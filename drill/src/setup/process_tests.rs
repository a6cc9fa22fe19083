use super::*;

fn shell(script: &str, log: &Path) -> ChildProcess {
    ChildProcess::spawn(
        ProgramSpec::at("/bin/sh".into(), "shell", log)
            .arg("-c")
            .arg(script),
    )
    .unwrap()
}

#[tokio::test]
async fn an_early_end_shows_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = shell("echo port taken; exit 3", &dir.path().join("log"));
    let error = child
        .wait_ready("127.0.0.1:1", Duration::from_secs(5))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("exit status: 3") && error.contains("port taken"),
        "{error}"
    );
}

#[tokio::test]
async fn terminate_escalates_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut good = shell("exec sleep 60", &dir.path().join("good"));
    good.terminate(Duration::from_secs(5)).await.unwrap();
    let mut deaf = shell(
        "trap '' TERM; echo deaf; while :; do sleep 0.05; done",
        &dir.path().join("deaf"),
    );
    while !deaf.tail().contains("\ndeaf") {
        sleep(POLL_INTERVAL).await;
    }
    let error = deaf
        .terminate(Duration::from_millis(200))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("was killed"), "{error}");
    assert!(!deaf.is_running());
}
