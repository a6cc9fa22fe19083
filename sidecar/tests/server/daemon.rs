//! The sidecar as a process of its own, so that it can be killed.
#![allow(dead_code)] // Each test file uses its part.
#![allow(clippy::unwrap_used)] // A test may panic.

use crate::server::balances::BALANCE_RULE;
use crate::server::fence_lines::FenceLineReader;
use sluice_drill::load::http;
use sluice_drill::setup::{ChildProcess, ProgramSpec};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub const DAEMON_TOKEN: &str = "0123456789abcdef0123456789abcdef";

pub struct SidecarProcess {
    pub port: u16,
    pub process: ChildProcess,
    pub log: PathBuf,
}

impl SidecarProcess {
    /// Starts one; `mysql` are the lines of that table of the settings.
    pub fn start(dir: &Path, name: &str, mysql: &str) -> SidecarProcess {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        std::fs::create_dir_all(dir.join("rules")).unwrap();
        std::fs::write(dir.join("rules/balance-adds-up.rhai"), BALANCE_RULE).unwrap();
        std::fs::write(dir.join("provenance_key"), "k".repeat(32)).unwrap();
        std::fs::write(dir.join("sidecar_token"), DAEMON_TOKEN).unwrap();
        let text = format!(
            "listen = '127.0.0.1:{port}'\nrules_dir = '{0}/rules'\nsecrets_dir = '{0}'\ninstance = '{name}'\n\
             checkpoint_interval_ms = 100\nstate.dir = '{0}/state'\nstate.interval_ms = 200\n[mysql]\ndatabase = 't'\n{mysql}\n",
            dir.display(),
        );
        let file = dir.join(format!("{name}.toml"));
        std::fs::write(&file, text).unwrap();
        let log = dir.join(format!("{name}.log"));
        let sidecar = PathBuf::from(env!("CARGO_BIN_EXE_sluice-sidecar"));
        let process =
            ChildProcess::spawn(ProgramSpec::at(sidecar, "sluice-sidecar", &log).arg(file))
                .unwrap();
        SidecarProcess { port, process, log }
    }

    pub async fn get(&self, path: &str) -> Option<String> {
        let (_, body) = http::get(&format!("127.0.0.1:{}", self.port), path)
            .await
            .ok()?;
        Some(String::from_utf8_lossy(&body).into_owned())
    }

    /// The value of one line of `/metrics`.
    pub async fn metric(&self, name: &str) -> Option<f64> {
        let metrics = self.get("/metrics").await?;
        metrics
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }

    /// Waits until that line's value is as wanted.
    pub async fn until_metric(&self, name: &str, wanted: impl Fn(f64) -> bool) {
        let begun = Instant::now();
        loop {
            let value = self.metric(name).await;
            if value.is_some_and(&wanted) {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{name} is {value:?}\n{}",
                self.process.tail()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until `/ready` says 200, or, if `reason` is given, says that.
    pub async fn until_ready(&self, reason: Option<&str>) {
        let begun = Instant::now();
        loop {
            let answer = http::get(&format!("127.0.0.1:{}", self.port), "/ready").await;
            let said =
                answer.map(|(status, body)| (status, String::from_utf8_lossy(&body).into_owned()));
            match (&said, reason) {
                (Ok((200, _)), None) => return,
                (Ok((_, body)), Some(reason)) if body.contains(reason) => return,
                _ => {}
            }
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{said:?}, not {reason:?}\n{}",
                self.process.tail()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn fence(&self) -> Option<FenceLineReader> {
        FenceLineReader::open(self.port).await
    }
    /// Waits until the fence says this token, seeing. A stream ends with the reign that
    /// opened it: as a core does, this asks again.
    pub async fn until_token(&self, token: u64) {
        let (begun, mut last) = (Instant::now(), None);
        while begun.elapsed() < Duration::from_secs(20) {
            let Some(mut fence) = self.fence().await else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            while let Some(line) = fence.line().await {
                if line.token >= token && line.blind.is_none() {
                    return;
                }
                last = Some(line);
                if begun.elapsed() > Duration::from_secs(20) {
                    break;
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("last line: {last:?}, not {token}\n{}", self.process.tail());
    }
}
