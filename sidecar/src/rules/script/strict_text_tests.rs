//! Texts and what is compiled in their place.

use super::*;

#[test]
fn a_written_null_and_a_switch_are_marked_by_table() {
    let cases = [
        ("a == b", "a == b"),
        ("a == ()", "a === ()"),
        ("a != ()&&b", "a !== ()&&b"),
        ("() == a", "() === a"),
        ("return () != a", "return () !== a"),
        ("f() == a", "f() == a"),
        ("a[0]() == b", "a[0]() == b"),
        ("`${a == ()}`", "`${a === ()}`"),
        ("\"a == ()\" // a == ()", "\"a == ()\" // a == ()"),
        (
            "switch a { \"x\" => 1, _ => 2 }",
            "switch switch_value(\"a text\", a) { \"x\" => 1, _ => 2 }",
        ),
        (
            "switch f(#{ a: 1 }) { 1 | 2 if b == \"c\" => { #{ d: true } } () => 3, _ => 2 }",
            "switch switch_value(\"a number, NULL\", f(#{ a: 1 })) { 1 | 2 if b == \"c\" => { #{ d: true } } () => 3, _ => 2 }",
        ),
        ("switch a { _ => 2 }", "switch a { _ => 2 }"),
        ("switch", "switch"),
        ("switch a {", "switch a {"),
        ("switch (", "switch ("),
    ];
    for (text, strict) in cases {
        assert_eq!(strict_text(text).as_deref(), Ok(strict), "{text}");
    }
}

#[test]
fn the_marks_cant_be_written() {
    for text in ["a === ()", "a !== b", "if (a) === () {}"] {
        assert!(strict_text(text).is_err(), "{text}");
    }
}
