use super::*;

fn words(source: &str) -> Vec<&str> {
    let tokens = ScriptTokens::of(source);
    (0..tokens.all.len()).map(|at| tokens.text(at)).collect()
}

#[test]
fn strings_and_comments_hide_and_interpolations_do_not() {
    assert_eq!(words("a/*x/*y*/z*/b // c\n.d"), ["a", "b", ".", "d"]);
    assert_eq!(
        words(r#"x = "a \" b.c" + 'q'"#),
        ["x", "=", r#""a \" b.c""#, "+", "'q'"]
    );
    assert_eq!(
        words("`a${b.c}d``e${#{ f: `${g}` }}`"),
        [
            "`a", "${", "b", ".", "c", "}", "d``e", "${", "#{", "f", ":", "`", "${", "g", "}", "`",
            "}", "}", "`"
        ]
    );
    assert_eq!(
        words("1..3 1.5 0xff_a a!in b !inner ##\"x\"#y\"## &&"),
        [
            "1",
            "..",
            "3",
            "1.5",
            "0xff_a",
            "a",
            "!in",
            "b",
            "!",
            "inner",
            "##\"x\"#y\"##",
            "&&"
        ]
    );
}

#[test]
fn functions() {
    let tokens = ScriptTokens::of("//! x\nfn a(b, c) { if b { `${c}` } }\nprivate fn d() {}");
    let found: Vec<_> = tokens
        .functions()
        .iter()
        .map(|f| (f.name, f.params.len(), tokens.line(f.open)))
        .collect();
    assert_eq!(found, [("a", 2, 2), ("d", 0, 3)]);
}
