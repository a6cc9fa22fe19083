use super::*;
use crate::balance::CapturedPayment;
use proptest::prelude::*;

proptest! {
    #[test]
    fn no_sequence_of_steps_loses_or_makes_money(
        steps in proptest::collection::vec((0u8..6, 0usize..3, 1i64..1_000), 0..80)
    ) {
        let mut balance = Balance::empty("a", "CNY".parse().unwrap());
        let (mut came, mut left) = (Decimal::ZERO, Decimal::ZERO);
        for (step, kind, cents) in steps {
            let (kind, amount) = (OrderKind::ALL[kind], Decimal::new(cents, 2));
            match step {
                0 => { balance.credit(amount).unwrap(); came += amount; }
                1 => { balance.capture(amount).unwrap(); came += amount; }
                2 => { let _ = balance.reserve_for(kind, amount); }
                3 => { let _ = balance.release_for(kind, amount); }
                4 => { balance.give_back_for(kind, amount).unwrap(); came += amount; }
                _ => if balance.finalize_for(kind, amount).is_ok() && kind != OrderKind::Settlement { left += amount; }
            }
            let parts = [balance.available, balance.reserved, balance.intermediate, balance.intermediate_reserved];
            prop_assert!(parts.iter().all(|p| *p >= Decimal::ZERO));
            prop_assert_eq!(parts.iter().sum::<Decimal>(), came - left);
        }
    }

    #[test]
    fn never_more_is_refunded_and_settled_than_was_captured(
        steps in proptest::collection::vec((any::<bool>(), any::<bool>(), 1i64..500), 0..60)
    ) {
        let mut capture = CapturedPayment::new("a", "p", Decimal::new(1_000, 2), "CNY".parse().unwrap());
        for (take, refund, cents) in steps {
            let (kind, amount) = (if refund { OrderKind::Refund } else { OrderKind::Settlement }, Decimal::new(cents, 2));
            let _ = if take { capture.take(kind, amount) } else { capture.give_back(kind, amount) };
            prop_assert!(capture.left() >= Decimal::ZERO);
            prop_assert!(capture.refunded >= Decimal::ZERO && capture.settled >= Decimal::ZERO);
        }
    }
}

#[test]
fn the_bound_is_the_columns() {
    assert_eq!(MAX_BALANCE.to_string(), "10000000000000000");
}
