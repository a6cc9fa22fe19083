use super::*;

fn table(id: ChannelId, overrides: &[(&str, u32)], only: Option<&[&str]>) -> ChannelDecimals {
    made(id, overrides, only).unwrap()
}

fn made(
    id: ChannelId,
    overrides: &[(&str, u32)],
    only: Option<&[&str]>,
) -> anyhow::Result<ChannelDecimals> {
    let overrides = overrides.iter().map(|(c, d)| ((*c).to_owned(), *d));
    let only: Option<Vec<String>> =
        only.map(|codes| codes.iter().map(|code| (*code).to_owned()).collect());
    ChannelDecimals::new(id, &overrides.collect(), only.as_deref())
}

#[test]
fn units_are_the_channels_and_read_back_exactly() {
    let psp = table(ChannelId::Psp, &[], None);
    for (amount, code, units) in [
        ("2000", "ISK", Some(200_000)),
        ("50000.00", "IDR", Some(50_000)),
        ("50000.50", "IDR", None),
        ("1000", "CLP", Some(100_000)),
        ("100.50", "TWD", None),
        ("100.00", "TWD", Some(100)),
        ("700", "JPY", Some(700)),
        ("1.5", "JPY", None),
        ("1.005", "KWD", Some(1_005)),
        ("0.0001", "KWD", None),
        ("1.25", "CNY", Some(125)),
        ("9999999999999999.99", "CNY", Some(999_999_999_999_999_999)),
        ("1", "VND", None),
    ] {
        let (amount, currency) = (
            Decimal::from_str_exact(amount).unwrap(),
            code.parse().unwrap(),
        );
        let made = psp.units(amount, currency);
        assert_eq!(
            made.as_ref().ok().copied(),
            units,
            "{amount} {code}: {made:?}"
        );
        assert_eq!(psp.check(amount, currency).is_ok(), units.is_some());
        if let Some(units) = units {
            assert_eq!(psp.amount_of(units, currency), Some(amount), "{code}");
        }
    }
    let vnd = "VND".parse().unwrap();
    assert_eq!(psp.amount_of(1, vnd), None);
    let refused = psp.units(Decimal::ONE, vnd).unwrap_err().to_string();
    assert_eq!(
        refused,
        "psp is not known to take VND: see channels.decimals"
    );
}

#[test]
fn more_than_the_units_can_count_is_refused_not_cut() {
    let psp = table(ChannelId::Psp, &[("JPY", 4)], None);
    let jpy = "JPY".parse().unwrap();
    for amount in ["9999999999999999", "79228162514264337593543950335"] {
        let amount = Decimal::from_str_exact(amount).unwrap();
        let refused = psp.units(amount, jpy).unwrap_err();
        assert!(
            matches!(refused, DecimalsError::TooLarge { .. }),
            "{refused}"
        );
    }
}

#[test]
fn settings_override_what_is_documented_and_unknown_pairs_are_refused_at_load() {
    let psp = table(ChannelId::Psp, &[("ISK", 0), ("VND", 0)], None);
    let units = |code: &str| psp.units(Decimal::TWO, code.parse().unwrap());
    assert_eq!((units("ISK"), units("VND")), (Ok(2), Ok(2)));
    let few = table(ChannelId::Psp, &[], Some(&["CNY", "ISK"]));
    assert!(few.takes("ISK".parse().unwrap()) && !few.takes("JPY".parse().unwrap()));
    for (overrides, only, named) in [
        (&[("XXX", 2)][..], None, "XXX"),
        (&[("CNY", 5)][..], None, "CNY = 5"),
        (&[][..], Some(&["VND"][..]), "VND needs its decimals"),
        (&[][..], Some(&["XXX"][..]), "XXX"),
    ] {
        let error = format!("{:#}", made(ChannelId::Psp, overrides, only).unwrap_err());
        assert!(error.contains(named) && error.contains("psp"), "{error}");
    }
    // With its decimals it may be listed.
    let vnd = table(ChannelId::Psp, &[("VND", 0)], Some(&["VND"]));
    assert!(vnd.takes("VND".parse().unwrap()));
}

#[test]
fn a_currency_that_is_not_sent_any_more_is_still_read() {
    let few = table(ChannelId::Psp, &[], Some(&["CNY"]));
    let isk = "ISK".parse().unwrap();
    assert!(!few.takes(isk));
    let refused = few.units(Decimal::TWO, isk).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "psp is not sent ISK: channels.currencies leaves it out"
    );
    // In flight when the settings were narrowed: its answer is no contradiction.
    assert_eq!(few.amount_of(200, isk), Some(Decimal::TWO));
}
