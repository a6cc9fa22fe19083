use super::*;
use crate::batch::{FollowUp, RetryPolicy, SpoiledItem, policy};
use mysql_async::{Error, ServerError};

const QUICK: RetryPolicy = RetryPolicy {
    max_attempts: 3,
    conflict_delay: Duration::ZERO,
    reconnect_delay: Duration::ZERO,
    ..policy::ACCEPT
};

/// Books `account/number`; the account `held` is locked by somebody, the number 13 can't be
/// booked, and at the number 99 the server falls silent.
#[derive(Default)]
struct Bookings {
    held: &'static [&'static str],
    wait: LockWait,
    locked: LockedAccounts,
    /// Tries, each with how it waits for locks.
    tries: Vec<(LockWait, usize)>,
}

impl BatchTransaction for Bookings {
    type Item = (&'static str, u32);
    type Done = Result<u32, &'static str>;

    fn policy(&self) -> &'static RetryPolicy {
        &QUICK
    }

    async fn attempt(&mut self, items: &[Self::Item]) -> anyhow::Result<Vec<Self::Done>> {
        self.tries.push((self.wait, items.len()));
        if items.iter().any(|(account, _)| self.held.contains(account)) {
            return Err(server(1205));
        }
        for (number, code) in [(13, 1406), (99, 1053)] {
            if items.iter().any(|(_, n)| *n == number) {
                return Err(server(code));
            }
        }
        Ok(items.iter().map(|(_, n)| Ok(*n)).collect())
    }

    async fn reset(&mut self, _: &anyhow::Error) {}

    fn follow_up(&mut self, error: &anyhow::Error, attempt: u32) -> FollowUp {
        self.wait.follow_up(error, self.policy(), attempt)
    }

    async fn spoiled(&mut self, _: &Self::Item, _: BatchFailure) -> SpoiledItem<Self::Done> {
        SpoiledItem::Answer(Err("spoiled"))
    }
}

impl AccountTransaction for Bookings {
    fn account(item: &Self::Item) -> &str {
        item.0
    }

    fn locked_accounts(&self) -> &LockedAccounts {
        &self.locked
    }

    fn set_lock_wait(&mut self, wait: LockWait) {
        self.wait = wait;
    }

    fn refuse(&mut self, _: &Self::Item, _: &BatchFailure) -> Self::Done {
        Err("refused")
    }
}

fn server(code: u16) -> anyhow::Error {
    let (message, state) = (String::new(), String::new());
    Error::Server(ServerError {
        code,
        message,
        state,
    })
    .into()
}

const ITEMS: [(&str, u32); 5] = [("a", 1), ("b", 2), ("a", 3), ("c", 4), ("b", 5)];

#[tokio::test]
async fn a_locked_account_fails_alone_and_results_keep_their_order() {
    let mut bookings = Bookings {
        held: &["b"],
        ..Bookings::default()
    };
    let done = run_beside_locked(&mut bookings, &ITEMS).await;
    assert_eq!(done, [Ok(1), Err("refused"), Ok(3), Ok(4), Err("refused")]);
    let waited = bookings.tries.iter().filter(|(w, _)| *w == LockWait::Usual);
    assert_eq!(
        waited.count(),
        1,
        "one wait for a lock: {:?}",
        bookings.tries
    );
}

#[tokio::test]
async fn the_next_batch_does_not_wait_for_a_suspect_and_trusts_it_once_it_is_free() {
    let mut bookings = Bookings {
        held: &["b"],
        ..Bookings::default()
    };
    run_beside_locked(&mut bookings, &ITEMS).await;
    bookings.tries.clear();
    let done = run_beside_locked(&mut bookings, &ITEMS).await;
    assert_eq!(done, [Ok(1), Err("refused"), Ok(3), Ok(4), Err("refused")]);
    assert_eq!(
        bookings.tries,
        [(LockWait::Usual, 3), (LockWait::Never, 2)],
        "the others together, the suspect once and without waiting"
    );
    bookings.held = &[];
    run_beside_locked(&mut bookings, &ITEMS).await;
    bookings.tries.clear();
    run_beside_locked(&mut bookings, &ITEMS).await;
    assert_eq!(bookings.tries, [(LockWait::Usual, 5)]);
}

#[tokio::test]
async fn after_some_locked_accounts_of_a_batch_nobody_waits_for_more() {
    let mut bookings = Bookings {
        held: &["a", "b", "c", "d", "e", "f", "g", "h"],
        ..Bookings::default()
    };
    let mut items: Vec<_> = bookings.held.iter().map(|account| (*account, 1)).collect();
    items.push(("z", 2));
    let done = run_beside_locked(&mut bookings, &items).await;
    assert_eq!(done.last(), Some(&Ok(2)));
    let patient = |(wait, _): &&(LockWait, usize)| *wait == LockWait::SomeTries;
    let tries = bookings.tries.iter().filter(patient).count();
    assert_eq!(tries, MAX_PATIENT_MISSES * QUICK.max_attempts as usize);
    let once = bookings.tries.iter().filter(|(w, _)| *w == LockWait::Never);
    assert_eq!(once.count(), items.len() - MAX_PATIENT_MISSES);
}

#[tokio::test]
async fn a_server_that_falls_silent_while_items_are_tried_alone_is_not_asked_for_the_others() {
    let mut bookings = Bookings {
        held: &["b"],
        ..Bookings::default()
    };
    run_beside_locked(&mut bookings, &ITEMS).await;
    bookings.tries.clear();
    // `b` is a suspect now; the others are spoilt by 13, and then nobody answers.
    let items = [("a", 13), ("b", 2), ("a", 99), ("c", 4), ("b", 5)];
    let done = run_beside_locked(&mut bookings, &items).await;
    assert_eq!(
        done,
        [
            Err("spoiled"),
            Err("refused"),
            Err("spoiled"),
            Err("spoiled"),
            Err("refused")
        ]
    );
    assert_eq!(
        bookings.tries,
        [3, 1, 1, 1, 1].map(|items| (LockWait::Usual, items)),
        "the whole, the spoilt one, and the silence as often as it is tried again"
    );
}
