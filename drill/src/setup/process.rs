//! Child processes: found, started with a log of their own, waited for, stopped.

use crate::load::http;
use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Looks at whether a killed process is gone: for 10 s.
const MAX_FOREIGN_POLLS: usize = 500;
/// Lines of a log that an error message shows.
const MAX_TAIL_LINES: usize = 20;
const MAX_TAIL_BYTES: usize = 8 << 10;

/// A program to start.
#[derive(Debug, Clone)]
pub struct ProgramSpec {
    /// For messages.
    pub name: String,
    pub path: PathBuf,
    pub args: Vec<OsString>,
    pub env: Vec<(String, String)>,
    /// Takes standard output and standard error, appended.
    pub log: PathBuf,
}

impl ProgramSpec {
    /// One of Sluice's own binaries, such as `sluice-core`.
    pub fn own(binary_name: &str, log: &Path) -> anyhow::Result<Self> {
        Ok(ProgramSpec::at(binary(binary_name)?, binary_name, log))
    }

    pub fn at(path: PathBuf, name: &str, log: &Path) -> Self {
        ProgramSpec {
            name: name.into(),
            path,
            args: Vec::new(),
            env: Vec::new(),
            log: log.into(),
        }
    }

    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }
}

/// A running child. Dropping it kills it.
#[derive(Debug)]
pub struct ChildProcess {
    program: ProgramSpec,
    child: Child,
}

impl ChildProcess {
    pub fn spawn(program: ProgramSpec) -> anyhow::Result<Self> {
        let started = (|| {
            let log = OpenOptions::new()
                .create(true)
                .append(true)
                .open(&program.log)?;
            Command::new(&program.path)
                .args(&program.args)
                .envs(program.env.iter().map(|(name, value)| (name, value)))
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log)
                .spawn()
        })();
        let child = started.with_context(|| {
            format!(
                "can't start {} ({}; log {})",
                program.name,
                program.path.display(),
                program.log.display()
            )
        })?;
        Ok(ChildProcess { program, child })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn name(&self) -> &str {
        &self.program.name
    }

    pub fn log(&self) -> &Path {
        &self.program.log
    }

    /// The status with which it ended, if it has.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.child
            .try_wait()
            .with_context(|| format!("can't ask for the state of {}", self.program.name))
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until `http://<address>/ready` answers 200; the log's tail is part of
    /// the error if it doesn't.
    pub async fn wait_ready(&mut self, address: &str, within: Duration) -> anyhow::Result<()> {
        let mut last = String::from("nobody listens");
        let ready = async |last: &mut String| match http::get(address, "/ready").await {
            Ok((200, _)) => true,
            Ok((status, body)) => {
                *last = format!("HTTP {status} {}", String::from_utf8_lossy(&body));
                false
            }
            Err(error) => {
                *last = error.to_string();
                false
            }
        };
        let deadline = Instant::now() + within;
        loop {
            if ready(&mut last).await {
                return Ok(());
            }
            self.pause_until(deadline, &format!("http://{address}/ready: {last}"))
                .await?;
        }
    }

    /// Sleeps a moment; an error if the child has ended or `deadline` has passed.
    pub(super) async fn pause_until(
        &mut self,
        deadline: Instant,
        waiting_for: &str,
    ) -> anyhow::Result<()> {
        if let Some(status) = self.ended()? {
            bail!(
                "{} ended early ({status}); {}",
                self.program.name,
                self.tail()
            );
        }
        if Instant::now() >= deadline {
            bail!(
                "{} is not ready in time ({waiting_for}); {}",
                self.program.name,
                self.tail()
            );
        }
        sleep(POLL_INTERVAL).await;
        Ok(())
    }

    /// Sends SIGTERM and waits; past `within`, kills it and says so in an error.
    pub async fn terminate(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        if let Some(status) = self.ended()? {
            return Ok(status);
        }
        self.signal(Signal::TERM)?;
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            sleep(POLL_INTERVAL).await;
        }
        self.kill9()?;
        bail!(
            "{} did not end within {within:?} of SIGTERM and was killed; {}",
            self.program.name,
            self.tail()
        )
    }

    /// SIGKILL, and waits for the kernel to take it away.
    pub fn kill9(&mut self) -> anyhow::Result<()> {
        // An error means that it has ended already.
        let _ = self.child.kill();
        self.child
            .wait()
            .with_context(|| format!("can't wait for {}", self.program.name))?;
        Ok(())
    }

    /// Blocks until it ends by itself.
    #[cfg(test)]
    pub(super) fn wait_end(&mut self) -> anyhow::Result<()> {
        self.child
            .wait()
            .map(|_| ())
            .with_context(|| format!("can't wait for {}", self.program.name))
    }

    /// Stops (SIGSTOP) it in its tracks: alive, and silent.
    pub fn freeze(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)
    }

    pub fn thaw(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::CONT)
    }

    /// Starts the same program again, after `kill9` or `terminate`.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.kill9()?;
        *self = ChildProcess::spawn(self.program.clone())?;
        Ok(())
    }

    fn signal(&mut self, signal: Signal) -> anyhow::Result<()> {
        // A child that has ended but was not waited for can't lose its id to another.
        if let Some(status) = self.ended()? {
            bail!("{} has ended already ({status})", self.program.name);
        }
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.with_context(|| format!("{} has no usable process id", self.program.name))?;
        kill_process(pid, signal).with_context(|| format!("can't signal {}", self.program.name))
    }

    /// The end of the log, for error messages.
    pub fn tail(&self) -> String {
        tail(&self.program.log)
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Kills a process that isn't a child of this one and waits until it is gone.
pub(super) fn end_foreign(pid: i32) -> anyhow::Result<()> {
    let pid = Pid::from_raw(pid).context("no process id")?;
    kill_process(pid, Signal::KILL).context("can't kill it")?;
    for _ in 0..MAX_FOREIGN_POLLS {
        if test_kill_process(pid).is_err() {
            return Ok(());
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    bail!("it is still there after SIGKILL")
}

/// The last lines of a log, with its name.
pub(super) fn tail(log: &Path) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let end =
        String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(MAX_TAIL_BYTES)..]).into_owned();
    let lines: Vec<&str> = end.lines().collect();
    let last = &lines[lines.len().saturating_sub(MAX_TAIL_LINES)..];
    format!("end of {}:\n{}", log.display(), last.join("\n"))
}

/// Finds a binary of this workspace: in `SLUICE_BIN_DIR`, beside this
/// executable, above it (tests run in `deps/`), or in `target/release`.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let mut dirs: Vec<PathBuf> = std::env::var_os("SLUICE_BIN_DIR")
        .into_iter()
        .map(PathBuf::from)
        .collect();
    if let Ok(exe) = std::env::current_exe() {
        dirs.extend(exe.ancestors().skip(1).take(2).map(Path::to_path_buf));
    }
    dirs.push("target/release".into());
    let found = dirs
        .iter()
        .map(|dir| dir.join(name))
        .find(|path| path.is_file());
    found.with_context(|| {
        format!("no {name} in {dirs:?}: run `cargo build --release` or set SLUICE_BIN_DIR")
    })
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
