//! Conditions that hold, that don't, and that would harm.

use super::*;
use crate::orders::sample;
use sluice_contract::order::OrderKind;
use std::time::{Duration, Instant};

fn details() -> ConditionDetails {
    let list = |items: &[&str]| ConditionDetail::List(Arc::new(TextList::new(&items.map_to())));
    vec![
        (
            "most".into(),
            ConditionDetail::Number(Decimal::new(50_000, 2)),
        ),
        ("prefix".into(), ConditionDetail::Text("payee".into())),
        ("banned".into(), list(&["payee-9", "A-1"])),
        ("night".into(), list(&["daily 22:00-06:00"])),
    ]
}

trait ToTextList {
    fn map_to(&self) -> Vec<String>;
}

impl ToTextList for [&str] {
    fn map_to(&self) -> Vec<String> {
        self.iter().map(|s| (*s).to_owned()).collect()
    }
}

/// Asks the condition about 1 CNY from A-1 to payee-1 at bank ICBC, by netsunion at noon.
fn ask(text: &str) -> Result<bool, String> {
    let details = details();
    let names: Vec<String> = details.iter().map(|(name, _)| name.clone()).collect();
    let mut order = sample(OrderKind::CashOut);
    order.currency = "CNY".parse().unwrap();
    let conditions = ConditionEngine::default();
    let condition = conditions.compile(text, &names)?;
    let noon = local_of("20261121120000").unwrap();
    conditions.holds(&condition, &order, "netsunion", noon, &details)
}

#[test]
fn conditions_by_table() {
    let cases = [
        ("amount <= most", true),
        ("amount > 0.5", true),
        ("amount == 1", true),
        ("amount * 1000 <= most", false),
        ("amount < 1 || amount >= 2", false),
        ("!(to_account in banned)", true),
        ("account in banned", true),
        ("!(account in banned)", false),
        ("bank in [\"ICBC\", \"ABC\"]", true),
        ("bank != \"\" && kind == \"cash_out\"", true),
        ("to_account.starts_with(prefix)", true),
        ("!within(night)", true),
        ("within(night)", false),
        ("channel == \"netsunion\" && currency == \"CNY\"", true),
        ("user == \"user-1\" && business == \"local\"", true),
        ("if amount > 5 { false } else { true }", true),
        ("banned.len() == 2", true),
    ];
    for (text, want) in cases {
        assert_eq!(ask(text), Ok(want), "{text}");
    }
}

#[test]
fn what_compares_apples_with_pears_is_an_error_and_not_false() {
    for text in [
        "!(amount > \"50000\")",
        "amount <= prefix",
        "amount == \"1\"",
        "kind != 1",
        "amount in banned",
        "banned == banned",
        "most <= night",
    ] {
        let said = ask(text);
        assert!(
            said.as_ref()
                .is_err_and(|e| e.contains("compare") || e.contains("contains")),
            "{text}: {said:?}"
        );
    }
}

#[test]
fn hostile_and_mistaken_conditions_are_refused_or_stopped() {
    let deep = format!("{}true{}", "(".repeat(500), ")".repeat(500));
    let long = format!("\"{}\" == \"\"", "x".repeat(100_000));
    let cases = [
        ("loop { }", ""),
        ("while true { }", ""),
        ("for i in 0..1000000000 { } true", ""),
        ("let x = 1; true", ""),
        ("amount = 0", ""),
        ("true; true", ""),
        ("fn f() { f() } f()", ""),
        ("eval(\"true\")", ""),
        ("import \"x\" as x", ""),
        ("print(1) == ()", ""),
        ("sleep(10) == ()", "sleep"),
        ("timestamp() == ()", "timestamp"),
        ("\"\".pad(300000000, \"x\") == ()", ""),
        ("[].pad(300000000, 1) == ()", ""),
        ("[1].map(|x| x) == []", ""),
        ("amonut <= most", "amonut"),
        ("amount <= limit", "limit"),
        ("amount.foo", "foo"),
        ("nothing(amount)", "nothing"),
        ("amount", "not true or false"),
        ("()", "not true or false"),
        ("amount / 0 == 1", "zero"),
        ("79228162514264337593543950335 * amount * 1000 > 1", ""),
        ("9223372036854775807 + 1 > 0", "overflow"),
        ("within(banned)", "window"),
        ("within(most)", "within"),
        ("", ""),
        (deep.as_str(), ""),
        (long.as_str(), ""),
    ];
    for (text, part) in cases {
        let (short, began) = (text.chars().take(60).collect::<String>(), Instant::now());
        let said = ask(text);
        assert!(
            said.as_ref().is_err_and(|e| e.contains(part)),
            "{short}: {said:?}"
        );
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "{short} took {:?}",
            began.elapsed()
        );
    }
}

#[test]
fn windows_are_found_where_they_are_named() {
    assert_eq!(
        named_windows("!within( maintenance ) && within(other)"),
        ["maintenance", "other"]
    );
    assert!(named_windows("amount <= most").is_empty());
}
