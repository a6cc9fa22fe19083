//! `sluice-drill channel` as a process of its own: under load, killed, and started again.

use anyhow::Context;
use rust_decimal::Decimal;
use sluice_contract::clock::now_us;
use sluice_contract::settings::Secret;
use sluice_contract::signing::{
    MessageDirection, MessageScope, NONCE_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER,
};
use sluice_contract::wire::ChannelPay;
use sluice_drill::load::{ClosedLoad, LoadEnd, LoadReport, closed, http};
use sluice_drill::setup::{ChildProcess, ProgramSpec, ports, secrets};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

const READY_TIMEOUT: Duration = Duration::from_secs(20);

struct ChannelProcess {
    process: ChildProcess,
    address: String,
    secret: Secret,
}

async fn start(dir: &Path) -> anyhow::Result<ChannelProcess> {
    let secrets_dir = secrets::create(dir)?;
    let address = format!("127.0.0.1:{}", ports::free_port()?);
    let config = dir.join("channel.toml");
    let (secrets_text, book) = (secrets_dir.display(), dir.join("book.jsonl"));
    let text = format!(
        "listen = '{address}'\nsecrets_dir = '{secrets_text}'\nbook_file = '{}'\n",
        book.display()
    );
    std::fs::write(&config, text)?;
    let program = ProgramSpec::at(
        env!("CARGO_BIN_EXE_sluice-drill").into(),
        "sluice-drill channel",
        &dir.join("channel.log"),
    );
    let mut process = ChildProcess::spawn(program.arg("channel").arg("--config").arg(config))?;
    process.wait_ready(&address, READY_TIMEOUT).await?;
    let secret = Secret::load("channel_netsunion", Some(&secrets_dir))?;
    Ok(ChannelProcess {
        process,
        address,
        secret,
    })
}

fn pay(secret: &Secret, number: u64, out: &mut Vec<u8>) {
    let body = ChannelPay {
        serial_no: format!("S{number:031}"),
        trade_time: "20261121183000".into(),
        to_account: format!("acct-{number}"),
        amount: Decimal::new(101, 2),
        currency: "CNY".into(),
    };
    let body = serde_json::to_vec(&body).unwrap_or_default();
    let now = now_us() / 1_000_000;
    let nonce = format!("{number:032x}");
    let scope = MessageScope {
        direction: MessageDirection::Pay,
        channel: "netsunion",
        path: "/netsunion/pay",
        nonce: &nonce,
    };
    let (signature, length) = (scope.sign(secret, now, &body), body.len());
    let _ = write!(
        out,
        "POST /netsunion/pay HTTP/1.1\r\nhost: x\r\n{SIGNATURE_HEADER}: {signature}\r\n{TIMESTAMP_HEADER}: {now}\r\n{NONCE_HEADER}: {nonce}\r\ncontent-length: {length}\r\n\r\n"
    );
    out.extend_from_slice(&body);
}

impl ChannelProcess {
    async fn load(&self, count: u64) -> anyhow::Result<LoadReport> {
        let secret = self.secret.clone();
        let load = ClosedLoad {
            address: self.address.clone(),
            connections: 32,
            until: LoadEnd::Count(count),
            deadline: Duration::from_secs(10),
        };
        closed(
            load,
            move |number, out| pay(&secret, number, out),
            |_, _, _| {},
        )
        .await
    }

    async fn paid(&self) -> anyhow::Result<serde_json::Value> {
        let (_, body) = http::get(&self.address, "/netsunion/book/summary").await?;
        serde_json::from_slice(&body).context("summary")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_channel_knows_what_it_paid() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let mut channel = start(dir.path()).await?;
    let count = 2_000;
    let report = channel.load(count).await?;
    assert_eq!(report.succeeded(), count, "{report}");
    channel.process.kill9()?;
    channel.process.restart()?;
    channel
        .process
        .wait_ready(&channel.address, READY_TIMEOUT)
        .await?;
    let paid = channel.paid().await?;
    assert_eq!(paid["count"], count);
    // The same requests again: duplicates all, and nothing is paid.
    assert_eq!(channel.load(count).await?.succeeded(), count);
    let again = channel.paid().await?;
    assert_eq!(
        (&again["count"], &again["sums"]),
        (&paid["count"], &paid["sums"])
    );
    assert_eq!(again["doubled"], serde_json::json!([]));
    // It ends by itself when told to.
    let status = channel.process.terminate(Duration::from_secs(10)).await?;
    assert!(status.success(), "{status}; {}", channel.process.tail());
    Ok(())
}
