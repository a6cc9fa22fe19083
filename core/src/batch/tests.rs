use super::*;
use mysql_async::{Error, ServerError};
use std::time::Duration;

fn server(code: u16) -> anyhow::Error {
    let message = String::new();
    let state = String::new();
    anyhow::Error::from(Error::Server(ServerError {
        code,
        message,
        state,
    }))
    .context("while writing")
}

const QUICK: RetryPolicy = RetryPolicy {
    max_attempts: 3,
    conflict_delay: Duration::ZERO,
    reconnect_delay: Duration::ZERO,
    ..policy::OUTCOME
};

/// Fails on the item 13, and on everything for the first `conflicts` tries; at the item 99
/// the server falls silent.
#[derive(Default)]
struct Doubler {
    conflicts: u32,
    attempts: u32,
    resets: u32,
}

impl BatchTransaction for Doubler {
    type Item = i32;
    type Done = i32;

    fn policy(&self) -> &'static RetryPolicy {
        &QUICK
    }

    async fn attempt(&mut self, items: &[i32]) -> anyhow::Result<Vec<i32>> {
        self.attempts += 1;
        if self.attempts <= self.conflicts {
            return Err(server(1213));
        }
        if items.contains(&13) {
            return Err(server(1406));
        }
        if items.contains(&99) {
            return Err(server(1053));
        }
        Ok(items.iter().map(|n| n * 2).collect())
    }

    async fn reset(&mut self, _: &anyhow::Error) {
        self.resets += 1;
    }

    async fn spoiled(&mut self, item: &i32, _: BatchFailure) -> SpoiledItem<i32> {
        SpoiledItem::Answer(-item)
    }
}

#[test]
fn classes_follow_the_servers_codes() {
    for (code, class) in [
        (1020, FailureClass::Conflict),
        (1205, FailureClass::Locked),
        (3572, FailureClass::Locked),
        (3101, FailureClass::Conflict),
        (1213, FailureClass::Conflict),
        (1062, FailureClass::Duplicate),
        (1053, FailureClass::Disconnected),
        (1927, FailureClass::Disconnected),
        (1406, FailureClass::Refused),
        (1290, FailureClass::Disconnected),
        (1792, FailureClass::Disconnected),
        (1836, FailureClass::Disconnected),
        (3100, FailureClass::Disconnected),
        (4031, FailureClass::Disconnected),
        (1021, FailureClass::Disconnected),
    ] {
        assert_eq!(FailureClass::of(&server(code)), class, "{code}");
    }
    let moving = Error::Server(ServerError {
        code: 1105,
        message: "vttablet: VT15001: transaction is gone".into(),
        state: String::new(),
    });
    assert_eq!(FailureClass::of(&moving.into()), FailureClass::Conflict);
    let too_large = Error::Driver(mysql_async::DriverError::PacketTooLarge);
    assert_eq!(
        FailureClass::of(&too_large.into()),
        FailureClass::Internal,
        "one request's matter"
    );
    let unreadable = anyhow::anyhow!("no such state");
    assert_eq!(FailureClass::of(&unreadable), FailureClass::Internal);
}

#[test]
fn pauses_double_up_to_their_bound() {
    let pauses: Vec<u64> = (0..4)
        .map(|attempt| policy::ACCEPT.after_disconnect(attempt).as_millis() as u64)
        .collect();
    assert_eq!(pauses, [10, 20, 40, 80]);
    assert_eq!(
        policy::INTAKE.after_conflict(u32::MAX),
        Duration::from_secs(2)
    );
}

#[tokio::test]
async fn conflicts_are_tried_again_and_cleaned_up_behind() {
    let mut doubler = Doubler {
        conflicts: 2,
        ..Doubler::default()
    };
    assert_eq!(run(&mut doubler, &[1, 2]).await.unwrap(), [2, 4]);
    assert_eq!((doubler.attempts, doubler.resets), (3, 2));
}

#[tokio::test]
async fn tries_run_out_without_a_culprit() {
    let mut doubler = Doubler {
        conflicts: 99,
        ..Doubler::default()
    };
    let failure = run(&mut doubler, &[1, 2]).await.unwrap_err();
    assert!(!failure.is_items_fault);
    assert_eq!(doubler.attempts, QUICK.max_attempts);
}

#[tokio::test]
async fn one_spoils_the_batch_and_fails_alone() {
    let mut doubler = Doubler::default();
    assert_eq!(run(&mut doubler, &[1, 13, 3]).await.unwrap(), [2, -13, 6]);
    assert_eq!(doubler.attempts, 4, "the whole once, then each alone");
}

#[tokio::test]
async fn a_single_item_is_not_tried_alone_again() {
    let mut doubler = Doubler::default();
    let failure = run(&mut doubler, &[13]).await.unwrap_err();
    assert!(failure.is_items_fault);
    assert_eq!(doubler.attempts, 1);
}

#[tokio::test]
async fn once_the_server_is_silent_the_others_are_answered_untried() {
    let mut doubler = Doubler::default();
    let done = run(&mut doubler, &[1, 13, 99, 4, 5]).await.unwrap();
    assert_eq!(done, [2, -13, -99, -4, -5]);
    assert_eq!(
        doubler.attempts,
        3 + QUICK.max_attempts,
        "the whole, the first, the spoilt one, and the silence once"
    );
    let untried = BatchFailure::untried();
    assert!(untried.is_silence());
    assert_eq!(
        FailureClass::of(&untried.error),
        FailureClass::Disconnected,
        "an answer as of the silence itself: try again"
    );
}
