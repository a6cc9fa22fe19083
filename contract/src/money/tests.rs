use super::*;

fn parse(text: &str, currency: &str) -> Result<Decimal, AmountError> {
    parse_amount(text, currency.parse()?)
}

#[test]
fn amounts_by_table() {
    use AmountError::*;
    let cases: &[(&str, &str, Result<&str, AmountError>)] = &[
        ("123.12", "CNY", Ok("123.12")),
        ("0.01", "CNY", Ok("0.01")),
        ("1", "JPY", Ok("1")),
        ("1.234", "BHD", Ok("1.234")),
        ("9999999999999999.99", "CNY", Ok("9999999999999999.99")),
        ("00012.5", "CNY", Ok("12.5")),
        ("0", "CNY", Err(NotPositive)),
        ("0.00", "CNY", Err(NotPositive)),
        ("-1", "CNY", Err(NotPositive)),
        ("1.005", "CNY", Err(TooManyDecimals)),
        ("1.0", "JPY", Err(TooManyDecimals)),
        (
            "0.1000000000000000055511151231257827",
            "CNY",
            Err(TooManyDecimals),
        ),
        ("10000000000000000", "CNY", Err(TooLarge)),
        ("NaN", "CNY", Err(NotPlainDigits)),
        ("1e3", "CNY", Err(NotPlainDigits)),
        ("+1", "CNY", Err(NotPlainDigits)),
        (".5", "CNY", Err(NotPlainDigits)),
        ("1.", "CNY", Err(NotPlainDigits)),
        ("", "CNY", Err(NotPlainDigits)),
        ("1 000", "CNY", Err(NotPlainDigits)),
        ("１２", "CNY", Err(NotPlainDigits)),
        ("1", "XXX", Err(UnknownCurrency)),
        ("1", "cny", Err(UnknownCurrency)),
    ];
    for (text, currency, want) in cases {
        let got = parse(text, currency).map(|d| d.to_string());
        let want = (*want).map(str::to_owned);
        assert_eq!(
            got.map(|g| g.trim_start_matches("000").to_owned()),
            want,
            "{text} {currency}"
        );
    }
}

#[test]
fn column_units_are_exact() {
    assert_eq!(column_units(Decimal::new(12_345, 2)), Some(1_234_500));
    assert_eq!(column_units(Decimal::new(1, 5)), None);
}
