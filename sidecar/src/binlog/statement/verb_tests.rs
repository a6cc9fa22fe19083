use super::*;

#[test]
fn verbs_by_table() {
    let cases = [
        ("BEGIN", "BEGIN"),
        ("  commit ", "COMMIT"),
        ("/*!50000 TRUNCATE TABLE entry */", "TRUNCATE"),
        ("-- ticket 7\nUPDATE balance SET x=1", "UPDATE"),
        ("# ticket 7\n/* by me */ DELETE FROM entry", "DELETE"),
        ("/* app=1 */ update t set a=1", "UPDATE"),
        ("ROLLBACK TO `s`", "ROLLBACK TO"),
        ("ROLLBACK", "ROLLBACK"),
        ("XA COMMIT 'x'", "XA COMMIT"),
        ("INSERT`t`VALUES(1)", "INSERT"),
        ("", ""),
    ];
    for (statement, want) in cases {
        assert_eq!(verb(statement), want, "{statement}");
    }
}
