use super::*;
use crate::orders::OrderSeals;
use mysql_async::{Error, IoError, ServerError};
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;

/// Nobody listens there: a question would fail.
fn saga() -> BookingSaga {
    let pool =
        || sluice_contract::sql::Pool::open("mysql://root@127.0.0.1:1", "nothing", 1).unwrap();
    let schemas = Schemas::under("t").unwrap();
    let seals = OrderSeals::new(&Secret::new("k").into(), &[], 0);
    BookingSaga::new(
        pool(),
        pool(),
        pool(),
        &schemas,
        &seals,
        &crate::ready_queue::ReadyQueue::new(1),
    )
}

#[tokio::test]
async fn nothing_left_to_book_asks_no_server() {
    let saga = saga();
    assert!(saga.drive(Vec::new()).await.unwrap().is_empty());
    assert!(!saga.is_away());
}

#[tokio::test]
async fn only_a_server_that_does_not_answer_closes_accepting() {
    let server = |code| {
        let message = "said".into();
        let state = "40001".into();
        Error::Server(ServerError {
            code,
            message,
            state,
        })
    };
    let gone = Error::Io(IoError::Io(std::io::ErrorKind::ConnectionReset.into()));
    let deadlock = 1213;
    for (error, step, is_away) in [
        (server(deadlock), SagaStep::Balance, false),
        (server(deadlock), SagaStep::Ledger, false),
        (gone, SagaStep::Ledger, true),
    ] {
        let saga = saga();
        let driven = DrivenBatch {
            saga: &saga,
            step,
            lock_wait: LockWait::Usual,
            failure: None,
        };
        let failure = BatchFailure {
            error: error.into(),
            is_items_fault: false,
        };
        let text = driven.give_up(&failure).to_string();
        assert_eq!(saga.is_away(), is_away, "{text}");
    }
}
