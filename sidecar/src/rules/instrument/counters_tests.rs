use super::*;
use crate::rules::script::library::COVER_CONDITION_FN;

/// The copy, with the counters' names cut short.
fn copy(source: &str) -> String {
    instrument(source, 0)
        .1
        .replace(COVER_CONDITION_FN, "c")
        .replace(COVER_ENTERED_FN, "e")
}

#[test]
fn counters_by_table() {
    for (source, wanted) in [
        ("if a { b }", "if c(0, a) { b }"),
        (
            "x = a && b || !c;",
            "x = c(2, c(0, a) && c(1, b)) || c(3, !c);",
        ),
        (
            "if a.x == 1 && f(b, c || d) {}",
            "if c(0, c(1, a.x == 1) && c(2, f(b, c(3, c) || c(4, d)))) {}",
        ),
        ("while x < 3 { }", "while c(0, x < 3) { }"),
        (
            "for x in #{ a: 1 }.keys() { y }",
            "for x in #{ a: 1 }.keys() { e(0);  y }",
        ),
        ("fn f(a) { a }", "fn f(a) { e(0);  a }"),
        ("a.filter(|x| x > 1)", "a.filter(|x| { e(0); x > 1 })"),
        (
            "a.filter(|x| { x && y }, 2)",
            "a.filter(|x| { e(0);  c(1, x) && c(2, y) }, 2)",
        ),
        ("f(|| 1)", "f(|| { e(0); 1 })"),
        (
            "switch a { 1 if b => 2, _ => { 3 } }",
            "switch a { 1 if c(0, b) => { e(1); 2 }, _ => { e(2);  3 } }",
        ),
        ("if x {} y && z", "if c(0, x) {} c(1, y) && c(2, z)"),
        (
            "`${if a { 1 } else { 2 }}`",
            "`${if c(0, a) { 1 } else { 2 }}`",
        ),
        ("return a && b", "return c(0, a) && c(1, b)"),
        ("!(a in [1]) && b", "c(0, !(a in [1])) && c(1, b)"),
        ("#{ if_: 1 }.if_ // if a {}", "#{ if_: 1 }.if_ // if a {}"),
    ] {
        assert_eq!(copy(source), wanted, "{source}");
    }
}
