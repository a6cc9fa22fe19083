use super::*;

fn shown(statement: &str) -> Vec<String> {
    let one = |token: &SqlToken| match token {
        SqlToken::Word(text) => text.clone(),
        SqlToken::Name(text) => format!("`{text}`"),
        SqlToken::Text(text) => format!("'{text}'"),
        SqlToken::Sign(sign) => sign.to_string(),
    };
    readings(statement)
        .iter()
        .map(|all| all.iter().map(one).collect::<Vec<_>>().join(" "))
        .collect()
}

#[test]
fn readings_by_table() {
    let cases: [(&str, &[&str]); 15] = [
        ("drop table `a``b`.c", &["DROP TABLE `a`b` . C"]),
        ("-- why\nDROP # x\n /* y */TABLE 退", &["DROP TABLE 退"]),
        ("a--b", &["A - - B"]),
        ("comment='it''s', x", &["COMMENT = 'it's' , X"]),
        // By the server's settings the backslash is one.
        (r"a 'it\'s' b", &["A 'it's' B"]),
        (r"a 'x\', b 'y", &[r"A 'x', b ' Y"]),
        (r"a 'x\\' b", &[r"A 'x\' B", r"A 'x\\' B"]),
        (
            "DROP /*!40005 TEMPORARY */ TABLE x",
            &["DROP TEMPORARY TABLE X"],
        ),
        (
            "DROP /*!99999 TEMPORARY */ TABLE x",
            &["DROP TEMPORARY TABLE X", "DROP TABLE X"],
        ),
        (
            "DROP /*M!100100 TEMPORARY */ TABLE x",
            &["DROP TEMPORARY TABLE X", "DROP TABLE X"],
        ),
        ("/*! a /* b */ c */ d", &["A C D"]),
        ("a 'b", &[]),
        ("a /* b", &[]),
        ("/*! a", &[]),
        ("", &[""]),
    ];
    for (statement, want) in cases {
        let mut shown = shown(statement);
        shown.sort();
        let mut want = want.to_vec();
        want.sort_unstable();
        assert_eq!(shown, want, "{statement}");
    }
}
