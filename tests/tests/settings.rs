//! A wrong setting is one clear line that says what to do, and an exit code of
//! its own.

use anyhow::ensure;
use sluice_drill::setup::process::binary;
use std::process::Command;

fn run(program: &str, settings: &str) -> anyhow::Result<(Option<i32>, String)> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("settings.toml");
    std::fs::write(&path, settings)?;
    let ran = Command::new(binary(program)?)
        .arg(&path)
        .env_remove("SLUICE_MYSQL_URL")
        .output()?;
    let text =
        String::from_utf8_lossy(&ran.stderr).into_owned() + &String::from_utf8_lossy(&ran.stdout);
    Ok((ran.status.code(), text))
}

const MYSQL_SETTINGS: &str = "[mysql]\nurl = \"mysql://root@127.0.0.1:1\"\n";

#[test]
fn wrong_settings_are_named() -> anyhow::Result<()> {
    for (program, settings, names) in wrong_settings() {
        let (code, text) = run(program, &settings)?;
        ensure!(
            code == Some(2) && text.contains(names) && !text.contains("secret@"),
            "{settings}\n→ {code:?} {text}"
        );
    }
    Ok(())
}

#[test]
fn a_missing_secret_and_a_taken_port_are_named() -> anyhow::Result<()> {
    let settings =
        format!("secrets_dir = \"/nonexistent\"\n{MYSQL_SETTINGS}[dispatch]\nenabled = false\n");
    let (code, text) = run("sluice-core", &settings)?;
    ensure!(
        code == Some(1) && text.contains("provenance_key"),
        "{code:?} {text}"
    );

    let dir = tempfile::tempdir()?;
    let secrets = sluice_drill::setup::secrets::create(dir.path())?;
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?;
    let settings = format!(
        "listen = \"{address}\"\nsecrets_dir = \"{}\"\n{MYSQL_SETTINGS}[dispatch]\nenabled = false\n",
        secrets.display()
    );
    let (code, text) = run("sluice-core", &settings)?;
    ensure!(
        code == Some(1) && text.contains(&address.to_string()) && text.contains("port"),
        "{code:?} {text}"
    );
    Ok(())
}

/// A program, its settings, and the words that its refusal names.
type WrongSetting = (&'static str, String, &'static str);

fn channel(id: &str) -> String {
    format!("[[channels]]\nid = \"{id}\"\nurl = \"http://127.0.0.1:1\"\n")
}

fn wrong_settings() -> Vec<WrongSetting> {
    let mut all = of_programs();
    all.extend(of_channels());
    all.extend(of_servers());
    all
}

fn of_programs() -> Vec<WrongSetting> {
    vec![
        (
            "sluice-core",
            format!("writers = 4\n{MYSQL_SETTINGS}"),
            "writers",
        ),
        (
            "sluice-core",
            format!(
                "listen = \"0.0.0.0:7100\"\n{MYSQL_SETTINGS}{}",
                channel("netsunion")
            ),
            "listen",
        ),
        (
            "sluice-core",
            format!(
                "clients = [{{ name = \"shop\", accounts = [\"*\"] }}]\nlisten = \"0.0.0.0:7100\"\n{MYSQL_SETTINGS}{}",
                channel("netsunion")
            ),
            "plaintext_beyond_loopback",
        ),
        (
            "sluice-sidecar",
            format!("rules_dir = \"r\"\nlisten = \"0.0.0.0:7200\"\n{MYSQL_SETTINGS}"),
            "plaintext_beyond_loopback",
        ),
        (
            "sluice-core",
            format!("{MYSQL_SETTINGS}{}", channel("pigeon")),
            "knows netsunion, unionpay, psp",
        ),
        (
            "sluice-core",
            format!("{MYSQL_SETTINGS}{}{0}", channel("psp")),
            "listed twice",
        ),
    ]
}

fn of_channels() -> Vec<WrongSetting> {
    vec![
        (
            "sluice-core",
            format!("{MYSQL_SETTINGS}{}concurrency = 0\n", channel("psp")),
            "channels.concurrency of psp",
        ),
        (
            "sluice-core",
            format!("{MYSQL_SETTINGS}{}query_concurrency = 0\n", channel("psp")),
            "channels.query_concurrency",
        ),
        (
            "sluice-core",
            format!("{MYSQL_SETTINGS}{}deadline_ms = 0\n", channel("psp")),
            "channels.deadline_ms of psp",
        ),
        (
            "sluice-core",
            format!(
                "{MYSQL_SETTINGS}{}connect_timeout_ms = 3001\n",
                channel("psp")
            ),
            "channels.connect_timeout_ms of psp",
        ),
        (
            "sluice-core",
            format!("{MYSQL_SETTINGS}{}zone = \"+8\"\n", channel("psp")),
            "channels.zone of psp",
        ),
        (
            "sluice-core",
            format!("{MYSQL_SETTINGS}[[channels]]\nid = \"psp\"\nurl = \"ftp://x\"\n"),
            "channels.url of psp",
        ),
        (
            "sluice-core",
            format!(
                "default_currency = \"XXX\"\n{MYSQL_SETTINGS}{}",
                channel("netsunion")
            ),
            "default_currency",
        ),
        ("sluice-core", MYSQL_SETTINGS.to_owned(), "channels"),
    ]
}

fn of_servers() -> Vec<WrongSetting> {
    vec![
        (
            "sluice-core",
            format!("{MYSQL_SETTINGS}[balance]\nurl = \"pg://u:secret@h/\"\n"),
            "balance.url",
        ),
        (
            "sluice-core",
            format!("{MYSQL_SETTINGS}[ledger]\nurl = \"mysql://root@127.0.0.1:1\"\n"),
            "ledger.url is mysql.url",
        ),
        (
            "sluice-sidecar",
            format!("ruels_dir = \"x\"\nrules_dir = \"x\"\n{MYSQL_SETTINGS}"),
            "ruels_dir",
        ),
    ]
}
