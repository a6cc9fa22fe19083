use super::*;

fn order(n: u32) -> OrderRef {
    OrderRef::new("A", &format!("{n:032}"))
}

#[tokio::test]
async fn a_slot_given_back_is_the_oldest_ones() {
    let ready = ReadyQueue::new(10);
    let permits = CallPermits::new("x", 1, &ready);
    let permit = permits.take(&order(9)).unwrap();
    for n in [3, 1, 2, 1] {
        assert!(permits.take(&order(n)).is_none());
    }
    assert!(ready.is_empty() && permits.is_waiting(&order(3)));
    drop(permit);
    assert_eq!(ready.take(10).await, [order(1)]);
    // A newcomer doesn't get it.
    assert!(permits.take(&order(4)).is_none());
    let permit = permits.take(&order(1)).unwrap();
    drop(permit);
    assert_eq!(ready.take(10).await, [order(2)]);
    assert!(!permits.is_waiting(&order(2)) && permits.is_waiting(&order(4)));
}

#[tokio::test]
async fn one_who_does_not_come_holds_nobody_up() {
    let ready = ReadyQueue::new(10);
    let permits = CallPermits::new("x", 2, &ready);
    let both = (
        permits.take(&order(8)).unwrap(),
        permits.take(&order(9)).unwrap(),
    );
    for n in 1..=4 {
        assert!(permits.take(&order(n)).is_none());
    }
    drop(both);
    // 1 and 2 are called and have ended meanwhile, say by a cancellation.
    assert_eq!(ready.take(10).await, [order(1), order(2)]);
    permits.sweep();
    assert_eq!(ready.take(10).await, [order(3), order(4)]);
    assert!(permits.take(&order(3)).is_some());
    // With nobody waiting, whoever comes is served.
    permits.sweep();
    assert!(permits.take(&order(7)).is_some());
}
