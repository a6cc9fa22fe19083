use super::*;

fn order(state: &str) -> sql::CheckedOrder {
    sql::CheckedOrder {
        order_id: "o".into(),
        serial_no: "S".into(),
        state: state.into(),
        amount: Decimal::ONE,
        currency: "CNY".into(),
        to_account: "t".into(),
        attempts: 1,
    }
}

fn paid(cents: i64) -> CheckedPayment {
    CheckedPayment {
        serial_no: "S".into(),
        to_account: "t".into(),
        amount: Decimal::new(cents, 2),
        currency: "CNY".into(),
        returned: false,
    }
}

#[test]
fn what_must_and_what_must_not_be_in_the_book() {
    let differ =
        |state: &str, book: &[CheckedPayment]| !differences(&[order(state)], book).is_empty();
    assert!(!differ("success", &[paid(100)]));
    assert!(differ("success", &[]));
    assert!(differ("success", &[paid(101)]));
    assert!(differ("failed", &[paid(100)]));
    assert!(!differ("failed", &[]));
    assert!(!differ("in_doubt", &[paid(100)]));
    assert!(differ("returned", &[paid(100)]));
    assert!(!differences(&[], &[paid(100)]).is_empty());
    assert_eq!(doubled(&[paid(1), paid(1)]).len(), 1);
    assert!(doubled(&[paid(1)]).is_empty());
}
