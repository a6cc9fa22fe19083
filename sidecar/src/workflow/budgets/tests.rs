use crate::rules::RuleBudget;
use crate::workflow::budgets::{BudgetBalances, BudgetWindow};
use rust_decimal::Decimal;

fn of_accounts(all_accounts: Option<usize>) -> BudgetWindow {
    BudgetWindow {
        all_accounts,
        ..BudgetWindow::default()
    }
}

#[test]
fn each_bound_is_found_when_it_is_passed() {
    let budget = RuleBudget {
        trips_per_hour: 40,
        errors_per_hour: 1,
        accounts_percent: 5,
        ..RuleBudget::default()
    };
    let trips = |window: &mut BudgetWindow, count: usize| {
        (0..count)
            .map(|n| window.trip(&budget, &format!("a{n}")))
            .position(|why| why.is_some())
    };
    // Few accounts are always within, and so is a share of five in a hundred.
    assert_eq!(trips(&mut of_accounts(Some(10)), 12), Some(10));
    assert_eq!(trips(&mut of_accounts(Some(400)), 30), Some(20));
    assert_eq!(trips(&mut of_accounts(None), 60), Some(40));
    let mut errors = BudgetWindow::default();
    assert_eq!(
        (errors.error(&budget), errors.error(&budget).is_some()),
        (None, true)
    );
    let rich: BudgetBalances = [("CNY".to_owned(), Decimal::from(60))].into();
    let budget = RuleBudget {
        amount: Some(Decimal::from(100)),
        ..budget
    };
    let mut window = BudgetWindow {
        held: [("a".to_owned(), rich.clone()), ("b".to_owned(), rich)].into(),
        ..BudgetWindow::default()
    };
    assert_eq!(
        (window.trip(&budget, "a"), window.trip(&budget, "a")),
        (None, None)
    );
    assert!(
        window
            .trip(&budget, "b")
            .is_some_and(|why| why.contains("120 CNY"))
    );
    assert_eq!(
        (
            BudgetWindow::needed(&budget, 10),
            BudgetWindow::needed(&budget, 20)
        ),
        (None, Some(401))
    );
}
