use crate::verdicts::column_text::{ascii, cut};

#[test]
fn texts_fit_and_stay_text() {
    assert_eq!(cut("退票退票", 3), "退票退");
    assert_eq!(ascii("rule-退", 6), "rule-?");
    assert_eq!(
        (cut("ab", 5).as_str(), ascii("abc", 2).as_str()),
        ("ab", "ab")
    );
}
