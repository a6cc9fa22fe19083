use super::*;

const GOOD_CONFIG: &str = "rules_dir = 'rules'\n[mysql]\nurl = 'mysql://root@127.0.0.1:3306'\n";

fn error_of(text: &str) -> String {
    let parsed = toml::from_str::<SidecarConfig>(text).map_err(anyhow::Error::from);
    parsed
        .and_then(|c| c.check())
        .err()
        .map(|e| format!("{e:#}"))
        .unwrap_or_default()
}

#[test]
fn wrong_settings_name_their_key() {
    let cases = [
        (GOOD_CONFIG.to_owned(), ""),
        (format!("{GOOD_CONFIG}urll = 1\n"), "urll"),
        (format!("lisen = 'x'\n{GOOD_CONFIG}"), "lisen"),
        (format!("listen = 'nowhere'\n{GOOD_CONFIG}"), "listen"),
        (
            format!("checkpoint_interval_ms = 1\n{GOOD_CONFIG}"),
            "checkpoint_interval_ms",
        ),
        (format!("max_lag_ms = 600\n{GOOD_CONFIG}"), "max_lag_ms"),
        (format!("instance = 'a b'\n{GOOD_CONFIG}"), "instance"),
        (format!("start = 'later'\n{GOOD_CONFIG}"), "start"),
        (
            format!("on_lost_position = 'skip'\n{GOOD_CONFIG}"),
            "on_lost_position",
        ),
        (
            format!("{GOOD_CONFIG}[audit]\nmax_rows_per_second = 5\n"),
            "audit.max_rows_per_second",
        ),
        (
            format!("{GOOD_CONFIG}[audit]\nbalance_url = 'x'\n"),
            "audit.balance_url",
        ),
        (format!("{GOOD_CONFIG}server_id = 0\n"), "mysql.server_id"),
        (format!("{GOOD_CONFIG}database = 'a-b'\n"), "mysql.database"),
        (
            format!(
                "{GOOD_CONFIG}[[mysql.book_servers]]\nname = 'b'\nurl = 'mysql://h'\nschemas = ['balance']\n"
            ),
            "",
        ),
        (
            format!("{GOOD_CONFIG}[[mysql.book_servers]]\nname = 'b'\nschemas = ['balance']\n"),
            "SLUICE_B_URL",
        ),
        (
            format!(
                "{GOOD_CONFIG}[[mysql.book_servers]]\nname = 'b/'\nurl = 'mysql://h'\nschemas = ['ledger']\n"
            ),
            "mysql.book_servers.name",
        ),
        (
            format!(
                "{GOOD_CONFIG}[[mysql.book_servers]]\nname = 'b'\nurl = 'x'\nschemas = ['ledger']\n"
            ),
            "mysql.book_servers.url",
        ),
        (
            format!(
                "{GOOD_CONFIG}[[mysql.book_servers]]\nname = 'b'\nurl = 'mysql://h'\nschemas = ['guard']\n"
            ),
            "guard",
        ),
        (
            format!(
                "{GOOD_CONFIG}[[mysql.book_servers]]\nname = 'b'\nurl = 'mysql://h'\nschemas = []\n"
            ),
            "mysql.book_servers.schemas",
        ),
        (
            GOOD_CONFIG.replace("3306", "3306,other:3307?tls_ca=none.pem"),
            "tls_ca",
        ),
        (
            format!("{GOOD_CONFIG}[kafka]\ntopics = ['a=b']\n"),
            "kafka.topics",
        ),
        (format!("{GOOD_CONFIG}[kafka]\nbroker = 'x'\n"), "broker"),
        (
            format!("{GOOD_CONFIG}[kafka]\nmetadata_interval_ms = 0\n"),
            "kafka.metadata_interval_ms",
        ),
        (
            format!("{GOOD_CONFIG}[kafka]\nmetadata_interval_ms = 600000\n"),
            "kafka.metadata_interval_ms",
        ),
        (
            format!("{GOOD_CONFIG}[kafka.changes]\nprefix = 'bank'\n"),
            "kafka.brokers",
        ),
        (
            format!("{GOOD_CONFIG}[kafka]\nbrokers = 'b:1'\n[kafka.changes]\nprefix = 'a b'\n"),
            "kafka.changes.prefix",
        ),
        (
            format!("{GOOD_CONFIG}[kafka]\nbrokers = 'b:1'\n[kafka.changes]\nprefix = 'bank'\n"),
            "",
        ),
        (
            "rules_dir = 'r'\n[mysql]\nurl = 'pg://x'\n".to_owned(),
            "mysql.url",
        ),
        (format!("workers = 0\n{GOOD_CONFIG}"), "workers"),
        (
            format!("{GOOD_CONFIG}[recording]\ndir = 'x'\nmax_mb = 3\n"),
            "recording.max_mb",
        ),
        (format!("{GOOD_CONFIG}[recording]\nmax_mb = 30\n"), "dir"),
        ("[mysql]\n".to_owned(), "rules_dir"),
    ];
    for (text, key) in cases {
        let error = error_of(&text);
        assert!(
            error.contains(key) && error.is_empty() == key.is_empty(),
            "{text} gave {error}"
        );
    }
}
/// Two pods with the same host name and process id.
#[test]
fn what_is_not_set_is_nobody_elses() {
    let one = || toml::from_str::<SidecarConfig>(GOOD_CONFIG).unwrap();
    let (a, b) = (one(), one());
    assert!(a.instance != b.instance && a.mysql.server_id != b.mysql.server_id);
    a.check().unwrap();
}
