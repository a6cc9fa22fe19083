use super::*;
use crate::orders::OrderSeals;
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;

#[tokio::test]
async fn nothing_left_to_book_asks_no_server() {
    // Nobody listens there: a question would fail.
    let pool =
        || sluice_contract::sql::Pool::open("mysql://root@127.0.0.1:1", "nothing", 1).unwrap();
    let schemas = Schemas::under("t").unwrap();
    let seals = OrderSeals::new(&Secret::new("k").into(), &[], 0);
    let saga = BookingSaga::new(
        pool(),
        pool(),
        pool(),
        &schemas,
        &seals,
        &crate::ready_queue::ReadyQueue::new(1),
    );
    assert!(saga.drive(Vec::new()).await.unwrap().is_empty());
    assert!(!saga.is_away());
}
