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

#[test]
fn a_far_server_without_tls_is_said_or_refused() {
    for (url, is_refused) in [
        ("mysql://u@127.0.0.1:3306", false),
        ("mysql://u@localhost/x", false),
        ("mysql://u@[::1]:3306", false),
        ("mysql://u:hunter2@db:3306", true),
        ("mysql://u:hunter2@10.0.0.1/?stmt_cache_size=1", true),
        (
            "mysql://u:hunter2@db/?plaintext_beyond_loopback=false",
            true,
        ),
        ("mysql://u@db/?plaintext_beyond_loopback=true", false),
        (
            "mysql://u@db/?stmt_cache_size=1&plaintext_beyond_loopback=true",
            false,
        ),
    ] {
        let error = options(url)
            .err()
            .map(|e| e.to_string())
            .unwrap_or_default();
        assert_eq!(!error.is_empty(), is_refused, "{url}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
        if is_refused && !url.contains("=false") {
            assert!(
                error.contains("mysql.url") && error.contains("tls_ca"),
                "{error}"
            );
        }
    }
}

#[test]
fn tls_parameters_are_whole_or_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.pem");
    std::fs::write(&file, "").unwrap();
    let file = file.display();
    for (query, named) in [
        (format!("tls_ca={file}"), ""),
        (
            format!("tls_ca={file}&tls_certificate={file}&tls_key={file}"),
            "",
        ),
        (
            format!("tls_ca={file}&tls_certificate={file}"),
            "belong together",
        ),
        (format!("tls_certificate={file}&tls_key={file}"), "tls_ca"),
        (format!("tls_ca={file}&tls_cert={file}"), "tls_cert "),
    ] {
        let made = options(&format!("mysql://root:hunter2@h/?{query}"));
        let error = made.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(
            error.contains(named) && error.is_empty() == named.is_empty(),
            "{query}: {error:?}"
        );
        assert!(!error.contains("hunter2"), "{error}");
    }
}
