use super::*;

#[test]
fn literals_cannot_break_out() {
    let mut sql = String::new();
    push_row(
        &mut sql,
        true,
        &[
            SqlLiteral::Text("a'); DROP TABLE x; --"),
            SqlLiteral::Text("ok-1"),
            SqlLiteral::Int(-3),
            SqlLiteral::Null,
        ],
    );
    assert!(sql.starts_with("(_utf8mb4 0x61272"), "{sql}");
    assert!(sql.ends_with(",'ok-1',-3,NULL)"), "{sql}");
    assert!(!sql.contains("DROP"));
}

#[test]
fn a_wrong_url_is_named_without_its_password() {
    let error = options("pg://root:hunter2@h/")
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("unsupported scheme") && !error.contains("hunter2"),
        "{error}"
    );
    let error = options("mysql://root:hunter2@h/?tls_ca=none.pem")
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("tls_ca = none.pem") && !error.contains("hunter2"),
        "{error}"
    );
}
