use super::*;

fn guard(text: &str) -> Result<RowGuard, String> {
    RowGuard::try_from(text.to_owned())
}

fn holds(text: &str, values: [ColumnValue; 3]) -> bool {
    let columns = ["a", "b", "c2"].map(str::to_owned).to_vec();
    let table = TableSchema::new("t", columns);
    guard(text)
        .unwrap()
        .holds(&table, &values.into_iter().collect())
}

fn dec(text: &str) -> ColumnValue {
    ColumnValue::Dec(text.parse().unwrap())
}

#[test]
fn sums_are_compared_by_value() {
    for (text, wanted) in [
        ("a == b + c2", true),
        ("a==b+c2&&c2>=0", true),
        ("a - b == c2", true),
        ("-a == -b - c2", true),
        ("a == 0.3", true),
        ("a >= 0.30 && a <= 0.3", true),
        ("a > 0.3", false),
        ("b < 0.1", false),
        ("a != b + c2", false),
        ("a == b + c2 && c2 < 0", false),
        ("0 <= b - 1 + 2", true),
    ] {
        let values = [dec("0.3000"), dec("0.1"), dec("0.20")];
        assert_eq!(holds(text, values), wanted, "{text}");
    }
}

#[test]
fn what_is_no_number_is_never_known_to_be_right() {
    let odd = [
        ColumnValue::Null,
        ColumnValue::Text("0".into()),
        ColumnValue::Opaque,
    ];
    for value in odd {
        for text in [
            "a == 0",
            "a != 7",
            "a + b == 0",
            "b >= a",
            "b == 0 && a == a",
        ] {
            let values = [value.clone(), ColumnValue::Int(0), ColumnValue::Int(0)];
            assert!(!holds(text, values), "{text} of {value:?}");
        }
    }
    let most = || ColumnValue::Dec(Decimal::MAX);
    assert!(!holds("a + b >= c2", [most(), most(), most()]), "too large");
    assert!(!holds("nothing == nothing", [most(), most(), most()]));
}

#[test]
fn what_is_no_guard_is_refused_with_its_words() {
    for (text, why) in [
        ("", "no comparison"),
        ("a", "no comparison"),
        ("a = b", "no comparison"),
        ("a == b &&", "no comparison"),
        ("a == b || a == 1", "neither"),
        ("a == ", "neither"),
        ("a == b +", "neither"),
        ("a == b * 2", "neither"),
        ("a == B", "neither"),
        ("a == 1e3", "neither"),
        ("a == 0.12345678901234567890123456789012", "neither"),
        ("a == b == c2", "neither"),
    ] {
        let said = guard(text).unwrap_err();
        assert!(said.contains(why) && said.contains(text), "{said}");
    }
}
