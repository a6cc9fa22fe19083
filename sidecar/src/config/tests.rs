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

/// A configuration, and the key that its error names; empty if it has none.
type ConfigCase = (String, &'static str);

fn top_level_cases() -> Vec<ConfigCase> {
    vec![
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
        (format!("workers = 0\n{GOOD_CONFIG}"), "workers"),
        ("[mysql]\n".to_owned(), "rules_dir"),
    ]
}

/// Every number of the settings, just outside its range.
const NUMBERS: &[(&str, &str, [u64; 2])] = &[
    ("", "workers", [0, 1_000_000]),
    ("", "checkpoint_interval_ms", [49, 5_001]),
    ("", "max_lag_ms", [0, 3_600_001]),
    ("kafka", "fetch_wait_ms", [0, 10_001]),
    ("kafka", "metadata_interval_ms", [99, 60_001]),
    ("audit", "interval_minutes", [525_601, 1_000_000]),
    ("audit", "max_rows_per_second", [0, 100_000_001]),
    ("recording", "max_mb", [0, 100_000_001]),
    ("listener", "max_connections", [0, 100_001]),
    ("listener", "max_connections_per_address", [0, 100_001]),
    ("listener", "header_timeout_ms", [0, 120_001]),
    ("listener", "request_timeout_ms", [0, 600_001]),
    ("listener", "write_timeout_ms", [0, 120_001]),
    ("state", "interval_ms", [49, 3_600_001]),
    ("state", "memory_mb", [15, 1_048_577]),
    ("retention", "verdict_days", [29, 36_501]),
    ("retention", "breaker_transition_days", [29, 36_501]),
    ("retention", "suppression_days", [399, 36_501]),
    ("retention", "audit_run_days", [29, 36_501]),
    ("retention", "dead_letter_days", [29, 36_501]),
    ("retention", "interval_s", [0, 86_401]),
    ("listener", "requests_per_second_per_client", [0, 1_000_001]),
    (
        "listener",
        "requests_per_second_per_address",
        [0, 1_000_001],
    ),
];

#[test]
fn every_number_has_a_range_and_its_key_is_named() {
    for (table, key, values) in NUMBERS {
        let also = if *table == "recording" {
            "dir = 'r'\n"
        } else {
            ""
        };
        for value in values {
            let number = format!("{key} = {value}\n");
            let text = match *table {
                "" => format!("{number}{GOOD_CONFIG}"),
                table => format!("{GOOD_CONFIG}[{table}]\n{also}{number}"),
            };
            let error = error_of(&text);
            assert!(error.contains(key), "{table} {number} gave {error:?}");
        }
    }
}

#[test]
fn every_number_of_the_settings_is_in_the_table() {
    let kinds = [": u32", ": u64", ": usize", ": u16", ": i64"];
    let mut missing = Vec::new();
    for text in [
        include_str!("mod.rs"),
        include_str!("../kafka/settings.rs"),
        include_str!("../audit/settings.rs"),
        include_str!("../recording/settings.rs"),
        include_str!("../state_file/settings.rs"),
    ] {
        for line in text.lines().filter_map(|l| l.strip_prefix("    pub ")) {
            let name = line.split(':').next().unwrap_or_default();
            let is_number = kinds.iter().any(|kind| line.contains(kind)) && !line.contains("fn ");
            if is_number && !NUMBERS.iter().any(|(_, known, _)| *known == name) {
                missing.push(name.to_owned());
            }
        }
    }
    assert!(missing.is_empty(), "no range is tested of {missing:?}");
}

#[test]
fn plaintext_beyond_loopback_is_said_or_refused() {
    let tls = "listener.tls = { certificate = 'c', key = 'k' }";
    let said = "listener.plaintext_beyond_loopback = true";
    for (more, named) in [("", "listener.tls"), (tls, ""), (said, "")] {
        let error = error_of(&format!("listen = '0.0.0.0:7200'\n{more}\n{GOOD_CONFIG}"));
        assert!(
            error.contains(named) && error.is_empty() == named.is_empty(),
            "{error}"
        );
    }
    let far = format!("{GOOD_CONFIG}[kafka]\nbrokers = 'broker:9092'\n");
    assert!(error_of(&far).contains("kafka.security"));
}

fn mysql_cases() -> Vec<ConfigCase> {
    vec![
        (format!("{GOOD_CONFIG}server_id = 0\n"), "mysql.server_id"),
        (format!("{GOOD_CONFIG}database = 'a-b'\n"), "mysql.database"),
        (
            GOOD_CONFIG.replace("3306", "3306,other:3307?tls_ca=none.pem"),
            "tls_ca",
        ),
        (
            "rules_dir = 'r'\n[mysql]\nurl = 'pg://x'\n".to_owned(),
            "mysql.url",
        ),
    ]
}

fn book_server_cases() -> Vec<ConfigCase> {
    vec![
        (
            format!(
                "{GOOD_CONFIG}[[mysql.book_servers]]\nname = 'b'\nurl = 'mysql://127.0.0.1:1'\nschemas = ['balance']\n"
            ),
            "",
        ),
        (
            format!("{GOOD_CONFIG}[[mysql.book_servers]]\nname = 'b'\nschemas = ['balance']\n"),
            "SLUICE_B_URL",
        ),
        (
            format!(
                "{GOOD_CONFIG}[[mysql.book_servers]]\nname = 'b/'\nurl = 'mysql://127.0.0.1:1'\nschemas = ['ledger']\n"
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
                "{GOOD_CONFIG}[[mysql.book_servers]]\nname = 'b'\nurl = 'mysql://127.0.0.1:1'\nschemas = ['guard']\n"
            ),
            "guard",
        ),
        (
            format!(
                "{GOOD_CONFIG}[[mysql.book_servers]]\nname = 'b'\nurl = 'mysql://127.0.0.1:1'\nschemas = []\n"
            ),
            "mysql.book_servers.schemas",
        ),
    ]
}

fn kafka_cases() -> Vec<ConfigCase> {
    vec![
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
            format!(
                "{GOOD_CONFIG}[kafka]\nbrokers = '127.0.0.1:1'\n[kafka.changes]\nprefix = 'a b'\n"
            ),
            "kafka.changes.prefix",
        ),
        (
            format!(
                "{GOOD_CONFIG}[kafka]\nbrokers = '127.0.0.1:1'\n[kafka.changes]\nprefix = 'bank'\n"
            ),
            "",
        ),
    ]
}

fn audit_and_recording_cases() -> Vec<ConfigCase> {
    vec![
        (
            format!("{GOOD_CONFIG}[audit]\nmax_rows_per_second = 5\n"),
            "audit.max_rows_per_second",
        ),
        (
            format!("{GOOD_CONFIG}[audit]\nbalance_url = 'x'\n"),
            "audit.balance_url",
        ),
        (
            format!("{GOOD_CONFIG}[recording]\ndir = 'x'\nmax_mb = 3\n"),
            "recording.max_mb",
        ),
        (format!("{GOOD_CONFIG}[recording]\nmax_mb = 30\n"), "dir"),
    ]
}

#[test]
fn wrong_settings_name_their_key() {
    let cases = [
        top_level_cases(),
        mysql_cases(),
        book_server_cases(),
        kafka_cases(),
        audit_and_recording_cases(),
    ];
    for (text, key) in cases.into_iter().flatten() {
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
