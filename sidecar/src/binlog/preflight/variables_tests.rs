use super::*;

fn variables(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

const FIT_VARIABLES: [(&str, &str); 8] = [
    ("log_bin", "ON"),
    ("binlog_format", "ROW"),
    ("binlog_row_image", "FULL"),
    ("binlog_row_metadata", "FULL"),
    ("sync_binlog", "1"),
    ("innodb_flush_log_at_trx_commit", "1"),
    ("log_bin_compress", "OFF"),
    ("binlog_annotate_row_events", "ON"),
];

#[test]
fn each_wrong_variable_is_named_with_its_cure() {
    assert_eq!(
        wrong_variables(Flavour::MariaDb, &variables(&FIT_VARIABLES)),
        Vec::<String>::new()
    );
    for (name, bad) in [
        ("sync_binlog", "0"),
        ("binlog_format", "MIXED"),
        ("log_bin", "OFF"),
        ("log_bin_compress", "ON"),
    ] {
        let mut all = variables(&FIT_VARIABLES);
        all.insert(name.to_owned(), bad.to_owned());
        let complaints = wrong_variables(Flavour::MariaDb, &all);
        assert!(
            complaints.len() == 1
                && complaints[0].contains(name)
                && complaints[0].to_lowercase().contains("set"),
            "{complaints:?}"
        );
    }
    let mysql = wrong_variables(Flavour::MySql, &variables(&FIT_VARIABLES));
    assert_eq!(mysql.len(), 2, "{mysql:?}");
}
