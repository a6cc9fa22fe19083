use super::*;

#[test]
fn a_cell_never_computes() {
    assert_eq!(
        (cell("-1"), cell("pay-1")),
        ("'-1".to_owned(), "pay-1".to_owned())
    );
}
