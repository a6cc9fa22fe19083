//! The end of a part, seen from outside: the program's error has its name, and
//! `/ready` says so for as long as the program still runs.

use super::*;
use sluice_contract::listener::{BoundListener, ListenerSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// Stages with an admin listener, and its address.
async fn stages() -> (CoreStages, String) {
    let readiness = Readiness::default();
    let stages = CoreStages::new(readiness.clone());
    let admin = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = admin.local_addr().unwrap().to_string();
    let admin = BoundListener::over("admin", admin, &ListenerSettings::small()).unwrap();
    listeners::serve_admin(&stages.base, admin, &readiness);
    (stages, address)
}

async fn ready(address: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = "GET /ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// A sender that keeps the stop from ending before its time.
fn hold_up(stages: &CoreStages) -> oneshot::Sender<()> {
    let (release, released) = oneshot::channel();
    stages.writers.job(async move {
        let _ = released.await;
    });
    release
}

#[tokio::test]
async fn the_end_of_any_part_ends_the_program_by_name_and_ready_knows() {
    for (panics, how) in [
        (true, "panicked: row 7 is gone"),
        (false, "ended although nobody stopped it"),
    ] {
        let (stages, address) = stages().await;
        assert!(ready(&address).await.starts_with("HTTP/1.1 200"));
        let release = hold_up(&stages);
        stages.publishing.spawn("outbox-relay", async move {
            assert!(!panics, "row {} is gone", 7);
            Ok(())
        });
        let look = async {
            stages.base.first_end().await;
            let answer = ready(&address).await;
            release.send(()).unwrap();
            answer
        };
        let started = async { Ok(()) };
        let run = supervise(&stages, started, std::future::pending());
        let (ended, answer) = tokio::join!(run, look);
        assert_eq!(
            ended.unwrap_err().to_string(),
            format!("part outbox-relay {how}")
        );
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        let said = format!("\"part outbox-relay\":\"{how}\"");
        assert!(answer.contains(&said), "{answer}");
    }
}

#[tokio::test]
async fn a_part_that_ends_while_the_core_starts_ends_the_program_too() {
    let (stages, _) = stages().await;
    stages.base.spawn("fence-follower", async { Ok(()) });
    let never = std::future::pending::<anyhow::Result<()>>();
    let ended = supervise(&stages, never, std::future::pending()).await;
    let said = ended.unwrap_err().to_string();
    assert!(said.starts_with("part fence-follower ended"), "{said}");
}

#[tokio::test]
async fn a_shutdown_stops_stage_by_stage_and_waits_for_each() {
    let (stages, address) = stages().await;
    let (sender, mut order) = tokio::sync::mpsc::unbounded_channel();
    for (name, parts) in [
        ("relay", &stages.publishing),
        ("writer", &stages.writers),
        ("listener", &stages.entrances),
        ("claim", &stages.senders),
    ] {
        let (stop, sender) = (parts.stop_token(), sender.clone());
        parts.spawn(name, async move {
            stop.cancelled().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            sender.send(name)?;
            Ok(())
        });
    }
    let (shut, signal) = oneshot::channel::<()>();
    let started = async move {
        shut.send(()).unwrap();
        Ok(())
    };
    let shutdown = async {
        let _ = signal.await;
    };
    supervise(&stages, started, shutdown).await.unwrap();
    let mut stopped = Vec::new();
    while let Ok(name) = order.try_recv() {
        stopped.push(name);
    }
    assert_eq!(stopped, ["listener", "claim", "writer", "relay"]);
    assert!(TcpStream::connect(&address).await.is_err());
}
