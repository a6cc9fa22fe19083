//! A private MySQL 9 beside MariaDB: own directory, own port on loopback, the
//! binlog as the sidecar needs it. `scripts/mysql` fetches the server.

use crate::setup::mariadb::answers;
use crate::setup::process::{ChildProcess, ProgramSpec};
use crate::setup::{ports, secrets, template};
use anyhow::{Context, bail};
use mysql_async::Opts;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{Instant, timeout};

const START_TIMEOUT: Duration = Duration::from_secs(90);
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// Another program may take the port between choosing and binding it.
const MAX_PORT_ATTEMPTS: usize = 3;
const USER: &str = "sluice";

/// As `mariadb::FIXED`, by this server's names; small, since it is for tests.
const FIXED_OPTIONS: &[&str] = &[
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--mysqlx=OFF",
    "--secure-file-priv=NULL",
    "--log-bin=binlog",
    "--server-id=1",
    "--gtid-mode=ON",
    "--enforce-gtid-consistency=ON",
    "--binlog-format=ROW",
    "--binlog-row-image=FULL",
    "--binlog-row-metadata=FULL",
    "--binlog-rows-query-log-events=ON",
    "--sync-binlog=1",
    "--innodb-flush-log-at-trx-commit=1",
    "--performance-schema=OFF",
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_bin",
    "--max-allowed-packet=64M",
    "--innodb-buffer-pool-size=64M",
    "--innodb-redo-log-capacity=32M",
];

/// The server's program: `SLUICE_MYSQLD`, else what `scripts/mysql` fetched into the
/// checkout that this was built in.
pub fn program() -> Option<PathBuf> {
    let named = std::env::var_os("SLUICE_MYSQLD").map(PathBuf::from);
    let exe = std::env::current_exe().unwrap_or_default();
    let target = exe
        .ancestors()
        .find(|dir| dir.file_name().is_some_and(|name| name == "target"));
    let fetched = target
        .and_then(Path::parent)
        .map(|top| top.join(".run/tools/mysql/mysqld"));
    named.or(fetched).filter(|file| file.is_file())
}

/// A running private server. Dropping it kills it; its data stay in `dir`.
#[derive(Debug)]
pub struct MysqlServer {
    pub port: u16,
    dir: PathBuf,
    password: String,
    extra: Vec<String>,
    process: ChildProcess,
}

impl MysqlServer {
    /// Starts a server on `dir` (made if missing; kept data are used again) and
    /// waits until it answers. `extra` comes after all other settings.
    pub async fn start(dir: &Path, extra: &[&str]) -> anyhow::Result<Self> {
        let server = program().context("no MySQL: run scripts/mysql, or set SLUICE_MYSQLD")?;
        std::fs::create_dir_all(dir).with_context(|| format!("can't create {}", dir.display()))?;
        let dir = dir.canonicalize()?;
        let (data, cache) = (dir.join("data"), template::default_dir(&dir));
        if !data.join("mysql.ibd").is_file() {
            tokio::task::spawn_blocking(move || {
                template::instantiate_mysql(&server, &cache, &data)
            })
            .await??;
        }
        let password = secrets::random_hex();
        write_init_file(&dir, &password)?;
        let extra: Vec<String> = extra.iter().map(|e| (*e).to_owned()).collect();
        for _ in 0..MAX_PORT_ATTEMPTS {
            let port = ports::free_port()?;
            let process = ChildProcess::spawn(settings(&dir, port, &extra)?)?;
            let mut server = MysqlServer {
                port,
                dir: dir.clone(),
                password: password.clone(),
                extra: extra.clone(),
                process,
            };
            match server.wait().await {
                Err(error) if error.to_string().contains("port") => {
                    tracing::warn!(port, "taken meanwhile")
                }
                other => return other.map(|()| server),
            }
        }
        bail!(
            "no port of {MAX_PORT_ATTEMPTS} could be bound; see {}",
            dir.join("mysqld.log").display()
        )
    }

    /// For clients; holds the password, so it is not for logs.
    pub fn url(&self) -> String {
        format!("mysql://{USER}:{}@127.0.0.1:{}", self.password, self.port)
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// As a power failure of the process: no shutdown, no flush.
    pub fn kill9(&mut self) -> anyhow::Result<()> {
        self.process.kill9()
    }

    /// Starts it again on the same data and port, killing it if it runs.
    pub async fn restart(&mut self, extra: &[&str]) -> anyhow::Result<()> {
        self.process.kill9()?;
        self.extra = extra.iter().map(|e| (*e).to_owned()).collect();
        self.process = ChildProcess::spawn(settings(&self.dir, self.port, &self.extra)?)?;
        self.wait().await
    }

    /// A clean shutdown.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        self.process.terminate(STOP_TIMEOUT).await.map(|_| ())
    }

    async fn wait(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
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

/// Run at every start: the user with this start's password. Not in the binlog.
fn write_init_file(dir: &Path, password: &str) -> anyhow::Result<()> {
    let sql = format!(
        "SET sql_log_bin=0;\n\
         DROP USER IF EXISTS '{USER}'@'127.0.0.1';\n\
         CREATE USER '{USER}'@'127.0.0.1' IDENTIFIED BY '{password}';\n\
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

fn settings(dir: &Path, port: u16, extra: &[String]) -> anyhow::Result<ProgramSpec> {
    let server = program().context("no MySQL: run scripts/mysql, or set SLUICE_MYSQLD")?;
    // A socket's path has a bound, and clients come by TCP.
    let own = [
        "--no-defaults".to_owned(),
        format!("--user={}", template::user()?),
        format!("--datadir={}", dir.join("data").display()),
        "--socket=mysqld.sock".to_owned(),
        format!("--pid-file={}", dir.join("mysqld.pid").display()),
        format!("--tmpdir={}", dir.display()),
        format!("--init-file={}", dir.join("init.sql").display()),
        format!("--port={port}"),
    ];
    let mut program = ProgramSpec::at(server, "mysqld", &dir.join("mysqld.log"));
    program.args = own.into_iter().map(Into::into).collect();
    program.args.extend(FIXED_OPTIONS.iter().map(Into::into));
    program.args.extend(extra.iter().map(Into::into));
    Ok(program)
}
