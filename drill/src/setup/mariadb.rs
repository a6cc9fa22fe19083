//! A private MariaDB: own directory, own port on loopback, own socket, no
//! system configuration, durable and with a binlog as the sidecar needs it.

use crate::setup::process::{self, ChildProcess, ProgramSpec};
use crate::setup::{ports, required_tools, secrets, template};
use anyhow::Context;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Longest path of a Unix socket, less the final zero byte.
const MAX_SOCKET_PATH: usize = 107;
const START_TIMEOUT: Duration = Duration::from_secs(90);
const STOP_TIMEOUT: Duration = Duration::from_secs(90);
/// Another program may take the port between choosing and binding it.
const MAX_PORT_ATTEMPTS: usize = 3;
const USER: &str = "sluice";

/// Settings that the design rests on (DESIGN §2, FACTS "Binlog"): durable commits, and
/// full row images with names.
const FIXED_OPTIONS: &[&str] = &[
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--log-bin=binlog",
    "--server-id=1",
    "--gtid-strict-mode=ON",
    "--binlog-format=ROW",
    "--binlog-row-image=FULL",
    "--binlog-row-metadata=FULL",
    "--binlog-annotate-row-events=ON",
    "--sync-binlog=1",
    "--innodb-flush-log-at-trx-commit=1",
    "--expire-logs-days=2",
    "--performance-schema=OFF",
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_bin",
    "--max-allowed-packet=64M",
];

#[derive(Debug, Clone)]
pub struct MariadbOptions {
    /// MiB.
    pub buffer_pool_mb: u32,
    /// MiB.
    pub log_file_mb: u32,
    pub max_connections: u32,
    /// Passed after everything else, such as `--log-bin-compress=ON`.
    pub extra: Vec<String>,
    /// Folder where initialised data directories are kept for copying; a default under
    /// the build directory otherwise.
    pub cache: Option<PathBuf>,
}

impl Default for MariadbOptions {
    fn default() -> Self {
        MariadbOptions {
            buffer_pool_mb: 512,
            log_file_mb: 512,
            max_connections: 300,
            extra: Vec::new(),
            cache: None,
        }
    }
}

/// A running private server. Dropping it kills it; its data stay in `dir`.
#[derive(Debug)]
pub struct MariadbServer {
    pub port: u16,
    pub socket: PathBuf,
    dir: PathBuf,
    password: String,
    options: MariadbOptions,
    process: ChildProcess,
    /// Holds the socket if `dir` is too deep for one.
    _short: Option<tempfile::TempDir>,
}

impl MariadbServer {
    /// Starts a server on `dir` (made if missing; kept data are used again) and
    /// waits until it answers.
    pub async fn start(dir: &Path, options: MariadbOptions) -> anyhow::Result<Self> {
        required_tools::check()?;
        fs::create_dir_all(dir).with_context(|| format!("can't create {}", dir.display()))?;
        let dir = dir
            .canonicalize()
            .with_context(|| dir.display().to_string())?;
        let data = dir.join("data");
        if !data.join("mysql").is_dir() {
            let cache = options
                .cache
                .clone()
                .unwrap_or_else(|| template::default_dir(&dir));
            let target = data.clone();
            // A kill within the copy must not leave half a directory behind.
            let _ = fs::remove_dir_all(&data);
            tokio::task::spawn_blocking(move || template::instantiate(&cache, &target)).await??;
        }
        end_orphan(&dir)?;
        let password = secrets::random_hex();
        write_init_file(&dir, &password)?;
        let (socket, short) = socket_path(&dir)?;
        let mut tried = 0;
        loop {
            tried += 1;
            let port = ports::free_port()?;
            let process = ChildProcess::spawn(program(&dir, &socket, port, &options)?)?;
            let (socket, password, options) = (socket.clone(), password.clone(), options.clone());
            let mut server = MariadbServer {
                port,
                socket,
                dir: dir.clone(),
                password,
                options,
                process,
                _short: None,
            };
            match server.wait(START_TIMEOUT).await {
                Ok(()) => {
                    server._short = short;
                    return Ok(server);
                }
                Err(error)
                    if tried < MAX_PORT_ATTEMPTS
                        && error.to_string().contains("Address already in use") => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// For clients; holds the password, so it is not for logs.
    pub fn url(&self) -> String {
        format!("mysql://{USER}:{}@127.0.0.1:{}", self.password, self.port)
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn log(&self) -> &Path {
        self.process.log()
    }

    /// As a power failure of the process: no shutdown, no flush.
    pub fn kill9(&mut self) -> anyhow::Result<()> {
        self.process.kill9()
    }

    /// SIGSTOP: connections stay open and nothing answers.
    pub fn freeze(&mut self) -> anyhow::Result<()> {
        self.process.freeze()
    }

    pub fn thaw(&mut self) -> anyhow::Result<()> {
        self.process.thaw()
    }

    /// A clean shutdown.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        self.process.terminate(STOP_TIMEOUT).await.map(|_| ())
    }

    /// Starts it again on the same data and port (after a clean stop, if it runs).
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        if self.process.is_running() {
            self.stop().await?;
        }
        self.process =
            ChildProcess::spawn(program(&self.dir, &self.socket, self.port, &self.options)?)?;
        self.wait(START_TIMEOUT).await
    }

    async fn wait(&mut self, within: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + within;
        let opts = Opts::from_url(&self.url()).context("URL of the private server")?;
        loop {
            let error = match timeout(Duration::from_secs(5), answers(opts.clone())).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer in 5 s".into(),
            };
            self.process.pause_until(deadline, &error).await?;
        }
    }
}

pub(super) async fn answers(opts: Opts) -> mysql_async::Result<()> {
    let mut conn = Conn::new(opts).await?;
    conn.query_drop("SELECT 1").await?;
    conn.disconnect().await
}

/// Run at every start, before connections are taken: the user with this start's
/// password, and no anonymous ones, which would shadow it. Not in the binlog,
/// where it would be a manual change of its own.
fn write_init_file(dir: &Path, password: &str) -> anyhow::Result<()> {
    let sql = format!(
        "SET sql_log_bin=0;\n\
         DELETE FROM mysql.global_priv WHERE User='';\n\
         FLUSH PRIVILEGES;\n\
         CREATE OR REPLACE USER '{USER}'@'127.0.0.1' IDENTIFIED BY '{password}';\n\
         GRANT ALL PRIVILEGES ON *.* TO '{USER}'@'127.0.0.1' WITH GRANT OPTION;\n"
    );
    let path = dir.join("init.sql");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path);
    file.and_then(|mut f| f.write_all(sql.as_bytes()))
        .with_context(|| format!("can't write {}", path.display()))
}

/// Ends a server that a killed `sluice` left running on this very directory; it
/// would hold the lock on the data.
fn end_orphan(dir: &Path) -> anyhow::Result<()> {
    let Ok(pid) = fs::read_to_string(pid_file(dir)) else {
        return Ok(());
    };
    let pid: i32 = pid.trim().parse().unwrap_or(0);
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let ours = datadir(dir);
    if !command
        .split(|byte| *byte == 0)
        .any(|arg| arg == ours.as_bytes())
    {
        return Ok(());
    }
    tracing::warn!(
        pid,
        "ending the server that an earlier run left on {}",
        dir.display()
    );
    process::end_foreign(pid)
        .with_context(|| format!("process {pid} holds {}: stop it", dir.display()))
}

fn datadir(dir: &Path) -> String {
    format!("--datadir={}", dir.join("data").display())
}

fn pid_file(dir: &Path) -> PathBuf {
    dir.join("mariadbd.pid")
}

/// In `dir` if the path fits, else in a short directory of its own.
fn socket_path(dir: &Path) -> anyhow::Result<(PathBuf, Option<tempfile::TempDir>)> {
    let socket = dir.join("mysqld.sock");
    if socket.as_os_str().len() <= MAX_SOCKET_PATH {
        return Ok((socket, None));
    }
    let short = tempfile::Builder::new()
        .prefix("sluice-")
        .tempdir_in("/tmp")
        .context("a short directory in /tmp")?;
    Ok((short.path().join("mysqld.sock"), Some(short)))
}

fn program(
    dir: &Path,
    socket: &Path,
    port: u16,
    options: &MariadbOptions,
) -> anyhow::Result<ProgramSpec> {
    let server = required_tools::find("mariadbd").context("mariadbd not found")?;
    let settings = [
        "--no-defaults".to_owned(),
        format!("--user={}", template::user()?),
        datadir(dir),
        format!("--socket={}", socket.display()),
        format!("--pid-file={}", pid_file(dir).display()),
        // Of its own: a server that starts clears away what lies there of others.
        format!("--tmpdir={}", dir.display()),
        format!("--init-file={}", dir.join("init.sql").display()),
        format!("--port={port}"),
        format!("--innodb-buffer-pool-size={}M", options.buffer_pool_mb),
        format!("--innodb-log-file-size={}M", options.log_file_mb),
        format!("--max-connections={}", options.max_connections),
    ];
    let mut program = ProgramSpec::at(server, "mariadbd", &dir.join("mariadbd.log"));
    program.args = settings.into_iter().map(Into::into).collect();
    program.args.extend(FIXED_OPTIONS.iter().map(Into::into));
    program.args.extend(options.extra.iter().map(Into::into));
    Ok(program)
}

#[cfg(test)]
#[path = "mariadb_tests.rs"]
mod tests;
