use super::*;

fn within(window: &str, at: &str) -> bool {
    TimeWindow::parse(window)
        .unwrap()
        .holds(DateTime::strptime("%Y%m%d%H%M%S", at).unwrap())
}

#[test]
fn windows_by_table() {
    // 2026-11-21 is a Saturday.
    let cases = [
        ("daily 01:00-02:30", "20261121010000", true),
        ("daily 01:00-02:30", "20261121022959", true),
        ("daily 01:00-02:30", "20261121023000", false),
        ("daily 01:00-02:30", "20261121005959", false),
        ("sat 00:00-24:00", "20261121235959", true),
        ("sat 00:00-24:00", "20261122000000", false),
        ("mon-fri 09:00-17:00", "20261121100000", false),
        ("mon-fri 09:00-17:00", "20261123100000", true),
        ("sat-mon 09:00-17:00", "20261123100000", true),
        ("sat 23:30-00:15", "20261121233000", true),
        ("sat 23:30-00:15", "20261122001459", true),
        ("sat 23:30-00:15", "20261121001000", false),
        ("daily 23:00-24:00", "20261121235959", true),
        ("2026-12-31 22:00-2027-01-01 02:00", "20261231220000", true),
        ("2026-12-31 22:00-2027-01-01 02:00", "20270101015959", true),
        ("2026-12-31 22:00-2027-01-01 02:00", "20270101020000", false),
        ("2026-12-31 22:00-2026-12-31 24:00", "20261231235959", true),
    ];
    for (window, at, want) in cases {
        assert_eq!(within(window, at), want, "{window} at {at}");
    }
}

#[test]
fn what_is_no_window_is_refused() {
    for text in [
        "",
        "daily",
        "01:00-02:00",
        "daily 01:00",
        "daily 1:00-2:00",
        "daily 01:00-25:00",
        "daily 01:00-01:00",
        "daily 24:00-01:00",
        "xxx 01:00-02:00",
        "mon-xxx 01:00-02:00",
        "2026-12-31 22:00-2026-12-31 21:00",
        "2026-02-30 22:00-2026-03-01 21:00",
        "2026-12-31 22:00 2027-01-01 02:00",
    ] {
        assert!(TimeWindow::parse(text).is_err(), "{text:?} passed");
    }
}
