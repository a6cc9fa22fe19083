//! Settings that can't work, each by its key; and every number, just outside its range.

use super::*;

const GOOD_CONFIG: &str = "[mysql]\nurl = 'mysql://root@127.0.0.1:3306'\n\
                           [[channels]]\nid = 'psp'\nurl = 'http://127.0.0.1:1'\n";

/// The numbers of the settings, and two that each may not be; the same table is walked
/// for numbers that have no row.
const NUMBERS: &[(&str, u64, u64)] = &[
    ("accept.writers", 0, 65),
    ("accept.max_batch", 0, 513),
    ("accept.linger_ms", 1_001, 1_000_000),
    ("accept.queue_capacity", 0, 1_000_001),
    ("accept.max_body_bytes", 0, 1_048_577),
    ("dispatch.max_batch", 0, 1_025),
    ("dispatch.queue_capacity", 0, 1_000_001),
    ("dispatch.poll_interval_ms", 0, 60_001),
    ("recovery.query_initial_delay_ms", 0, 3_600_001),
    ("recovery.query_max_delay_ms", 0, 86_400_001),
    ("recovery.callback_wait_ms", 3_600_001, 1 << 40),
    ("recovery.silence_case_after_ms", 0, 7_776_000_001),
    ("recovery.pending_case_after_ms", 0, 7_776_000_001),
    ("recovery.manual_query_max_delay_ms", 0, 7_776_000_001),
    ("recovery.max_concurrent_queries", 0, 1_001),
    ("recovery.unsent_case_after_ms", 0, 604_800_001),
    ("acknowledgement.initial_delay_ms", 0, 86_400_001),
    ("acknowledgement.max_delay_ms", 0, 604_800_001),
    ("acknowledgement.max_notifications", 1_001, 1_000_000),
    ("listener.max_connections", 0, 100_001),
    ("listener.max_connections_per_address", 0, 100_001),
    ("listener.header_timeout_ms", 0, 120_001),
    ("listener.request_timeout_ms", 0, 600_001),
    ("listener.write_timeout_ms", 0, 120_001),
    ("listener.requests_per_second_per_client", 0, 1_000_001),
    ("listener.requests_per_second_per_address", 0, 1_000_001),
    ("channels.concurrency", 0, 4_097),
    ("channels.query_concurrency", 0, 4_097),
    ("channels.deadline_ms", 0, 300_001),
    ("channels.connect_timeout_ms", 0, 300_001),
    ("channels.send_within_ms", 0, 60_001),
    ("channels.quiet_ms", 0, 86_400_001),
    ("mysql.max_clock_skew_ms", 99, 3_600_001),
    ("listing.delay_ms", 600_001, 1_000_000),
];

fn error_of(text: &str) -> String {
    let parsed = toml::from_str::<CoreConfig>(text).map_err(anyhow::Error::from);
    let checked = parsed.and_then(|config| config.check());
    checked.err().map(|e| format!("{e:#}")).unwrap_or_default()
}

/// Settings with one more number; those of a table that is there are written into it.
fn with(key: &str, value: u64) -> String {
    match key.split_once('.') {
        Some(("channels", key)) => format!("{GOOD_CONFIG}{key} = {value}\n"),
        Some(("mysql", key)) => {
            GOOD_CONFIG.replace("[mysql]\n", &format!("[mysql]\n{key} = {value}\n"))
        }
        Some(_) | None => format!("{key} = {value}\n{GOOD_CONFIG}"),
    }
}

#[test]
fn every_number_has_a_range_and_its_key_is_named() {
    assert_eq!(error_of(GOOD_CONFIG), "");
    for (key, low, high) in NUMBERS {
        for value in [low, high] {
            let error = error_of(&with(key, *value));
            assert!(error.contains(key), "{key} = {value} gave {error:?}");
        }
    }
}

#[test]
fn no_such_trade_is_not_believed_while_the_first_call_may_be_under_way() {
    for (deadline_ms, quiet_ms, is_refused) in [
        (3_000, 7_000, false),
        // Longer than the kernel keeps bytes: the channel may still be at work on the call.
        (30_000, 29_999, true),
        (30_000, 30_000, false),
        (300_000, 120_000, true),
    ] {
        let channel = format!("deadline_ms = {deadline_ms}\nquiet_ms = {quiet_ms}\n");
        let error = error_of(&format!("{GOOD_CONFIG}{channel}"));
        let named = format!("channels.quiet_ms of psp must be its deadline_ms, {deadline_ms}");
        assert_eq!(
            error.contains(&named),
            is_refused,
            "{channel} gave {error:?}"
        );
        assert_eq!(error.is_empty(), !is_refused, "{channel} gave {error:?}");
    }
}

#[test]
fn a_quiet_time_outlasts_what_two_clocks_may_differ() {
    let config = |quiet_ms: u64, skew_ms: u64| {
        let channel = format!("{GOOD_CONFIG}deadline_ms = 1000\nquiet_ms = {quiet_ms}\n");
        channel.replace(
            "[mysql]\n",
            &format!("[mysql]\nmax_clock_skew_ms = {skew_ms}\n"),
        )
    };
    // A second for the kernel, and twice the difference.
    for (quiet_ms, skew_ms, fits) in [
        (5_000, 2_000, true),
        (4_999, 2_000, false),
        (1_200, 100, true),
        (1_199, 100, false),
    ] {
        let error = error_of(&config(quiet_ms, skew_ms));
        let named = ["channels.quiet_ms of psp", "mysql.max_clock_skew_ms"];
        let refused = named.iter().all(|key| error.contains(key));
        assert!(
            if fits { error.is_empty() } else { refused },
            "{quiet_ms}, {skew_ms}: {error}"
        );
    }
}

#[test]
fn every_number_of_the_settings_is_in_the_table() {
    let is_number = |line: &str| {
        let kind = line.split_once(": ").map_or("", |(_, kind)| kind);
        let kind = kind.trim_start_matches("Option<");
        ["u8", "u16", "u32", "u64", "usize", "i32", "i64"]
            .iter()
            .any(|number| kind.starts_with(number))
    };
    let mut missing = Vec::new();
    for (table, text) in [
        ("accept", include_str!("accept.rs")),
        ("dispatch", include_str!("dispatch.rs")),
        ("recovery", include_str!("recovery.rs")),
        ("acknowledgement", include_str!("acknowledgement.rs")),
        ("channels", include_str!("channel.rs")),
        ("intake", include_str!("intake.rs")),
        ("fence", include_str!("fence.rs")),
        ("callbacks", include_str!("callbacks.rs")),
        ("mysql", include_str!("servers.rs")),
        ("listing", include_str!("listing.rs")),
    ] {
        for line in text.lines().filter_map(|l| l.strip_prefix("    pub ")) {
            let name = line.split(':').next().unwrap_or_default();
            let key = format!("{table}.{name}");
            if is_number(line) && !NUMBERS.iter().any(|(known, ..)| *known == key) {
                missing.push(key);
            }
        }
    }
    assert!(missing.is_empty(), "no range is tested of {missing:?}");
}

#[test]
fn the_admin_listener_is_near_or_asks_for_a_certificate() {
    let far = "admin = '0.0.0.0:7101'\n";
    let shown = "certificate = 'c', key = 'k', client_ca = 'a'";
    for (text, named) in [
        (far.to_owned(), "admin"),
        (
            format!("{far}admin_listener.tls = {{ certificate = 'c', key = 'k' }}\n"),
            "admin",
        ),
        (format!("{far}admin_listener.tls = {{ {shown} }}\n"), ""),
    ] {
        let error = error_of(&format!("{text}{GOOD_CONFIG}"));
        assert!(
            error.contains(named) && error.is_empty() == named.is_empty(),
            "{text} gave {error:?}"
        );
    }
}

#[test]
fn plaintext_beyond_loopback_is_said_or_refused() {
    let tls = "tls = { certificate = 'c', key = 'k' }";
    let far = "listen = '0.0.0.0:7100'\nclients = [{ name = 'shop', accounts = ['*'] }]\n";
    let callbacks = "callbacks.listen = '[::]:7102'\n";
    let said = "plaintext_beyond_loopback = true";
    for (before, after, named) in [
        (far.to_owned(), String::new(), "listener.tls"),
        (format!("{far}listener.{said}\n"), String::new(), ""),
        (format!("{far}listener.{tls}\n"), String::new(), ""),
        (
            callbacks.to_owned(),
            String::new(),
            "callbacks.listener.tls",
        ),
        (
            format!("{callbacks}callbacks.listener.{said}\n"),
            String::new(),
            "",
        ),
        (
            "fence.sidecar_url = 'http://guard:7200'\n".to_owned(),
            String::new(),
            "fence.sidecar_url",
        ),
        (
            "fence.sidecar_url = 'https://guard:7200'\n".to_owned(),
            String::new(),
            "",
        ),
        (
            format!("fence.sidecar_url = 'http://guard:7200'\nfence.{said}\n"),
            String::new(),
            "",
        ),
        (
            String::new(),
            "[[channels]]\nid = 'unionpay'\nurl = 'http://bank.test/pay'\n".to_owned(),
            "channels.url of unionpay",
        ),
        (
            String::new(),
            format!("[[channels]]\nid = 'unionpay'\nurl = 'http://bank.test/pay'\n{said}\n"),
            "",
        ),
        (
            String::new(),
            "[[channels]]\nid = 'unionpay'\nurl = 'ftp://bank.test'\n".to_owned(),
            "channels.url of unionpay",
        ),
        (
            "kafka.brokers = 'broker:9092'\n".to_owned(),
            String::new(),
            "kafka.security",
        ),
    ] {
        let error = error_of(&format!("{before}{GOOD_CONFIG}{after}"));
        assert!(
            error.contains(named) && error.is_empty() == named.is_empty(),
            "{before}{after} gave {error:?}"
        );
    }
}
