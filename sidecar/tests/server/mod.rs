//! A private MariaDB or MySQL in a temporary folder, on a free loopback port; gone
//! with the test.
#![allow(dead_code)] // Each test file uses its part.
#![allow(clippy::unwrap_used)] // A test may panic.
pub mod daemon;
pub mod tail;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use sluice_contract::schema::Schemas;
use sluice_drill::setup::{MysqlServer, mysql};
use sluice_sidecar::stream::gtid::Flavour;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub struct TestServer {
    dir: PathBuf,
    port: u16,
    program: ServerProgram,
}

enum ServerProgram {
    MariaDb(Child),
    MySql(Box<MysqlServer>),
}

static INSTALL_LOCK: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

impl TestServer {
    pub async fn start(name: &str, extra: &[&str]) -> TestServer {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let dir =
            std::env::temp_dir().join(format!("sluice-sidecar-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        let data = format!("--datadir={}", dir.join("data").display());
        // One at a time: side by side they ran out of what the kernel lends.
        let one_at_a_time = INSTALL_LOCK.lock().await;
        let installed = Command::new("mariadb-install-db")
            // Of its own: a server that starts clears away what lies there of others.
            .env("TMPDIR", &dir)
            .args([
                "--no-defaults",
                "--auth-root-authentication-method=normal",
                "--user=root",
                &data,
            ])
            .output()
            .unwrap();
        drop(one_at_a_time);
        let said = String::from_utf8_lossy(&installed.stdout).into_owned()
            + &String::from_utf8_lossy(&installed.stderr);
        assert!(
            installed.status.success(),
            "mariadb-install-db failed: {said}"
        );
        let program = ServerProgram::MariaDb(spawn(&dir, port, extra));
        let server = TestServer { dir, port, program };
        let mut conn = server.conn().await;
        for host in ["localhost", &hostname(&mut conn).await] {
            conn.query_drop(format!("DROP USER IF EXISTS ''@'{host}'"))
                .await
                .unwrap();
        }
        server
    }

    /// A MySQL, if there is one to be had; `SLUICE_NEED_MYSQL` makes it a must (`.ci/run`).
    #[allow(clippy::print_stdout)]
    pub async fn mysql(name: &str, extra: &[&str]) -> Option<TestServer> {
        if mysql::program().is_none() && std::env::var_os("SLUICE_NEED_MYSQL").is_none() {
            println!("skipped on MySQL: there is none here, run scripts/mysql");
            return None;
        }
        let dir =
            std::env::temp_dir().join(format!("sluice-sidecar-my-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        let server = MysqlServer::start(&dir, extra).await.unwrap();
        Some(TestServer {
            dir,
            port: server.port,
            program: ServerProgram::MySql(Box::new(server)),
        })
    }

    /// One of either flavour, as far as they can be had.
    pub async fn both(name: &str, extra: &[&str]) -> Vec<TestServer> {
        let mut both = vec![TestServer::start(name, extra).await];
        both.extend(TestServer::mysql(name, extra).await);
        both
    }

    pub fn flavour(&self) -> Flavour {
        match self.program {
            ServerProgram::MariaDb(_) => Flavour::MariaDb,
            ServerProgram::MySql(_) => Flavour::MySql,
        }
    }

    pub fn url(&self) -> String {
        match &self.program {
            ServerProgram::MariaDb(_) => format!("mysql://root@127.0.0.1:{}", self.port),
            ServerProgram::MySql(server) => server.url(),
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// As a power failure: it is gone until `restart`.
    pub fn kill(&mut self) {
        match &mut self.program {
            ServerProgram::MariaDb(child) => {
                child.kill().unwrap();
                child.wait().unwrap();
            }
            ServerProgram::MySql(server) => server.kill9().unwrap(),
        }
    }

    /// SIGSTOP, or SIGCONT: connections stay open and nothing answers.
    pub fn freeze(&self, frozen: bool) {
        let ServerProgram::MariaDb(child) = &self.program else {
            panic!("only MariaDB is frozen here")
        };
        let signal = if frozen { "-STOP" } else { "-CONT" };
        assert!(
            Command::new("kill")
                .args([signal, &child.id().to_string()])
                .status()
                .unwrap()
                .success()
        );
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Kills the server and starts it again over the same data.
    pub async fn restart(&mut self, extra: &[&str]) {
        match &mut self.program {
            ServerProgram::MariaDb(child) => {
                // An error means that it was killed already.
                let _ = child.kill();
                child.wait().unwrap();
                *child = spawn(&self.dir, self.port, extra);
            }
            ServerProgram::MySql(server) => server.restart(extra).await.unwrap(),
        }
        self.conn().await;
    }

    /// A connection, waiting for the server if it is still starting.
    pub async fn conn(&self) -> Conn {
        for _ in 0..300 {
            if let Ok(conn) = sluice_contract::sql::connect(&self.url()).await {
                return conn;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the server did not start; see {}/log", self.dir.display());
    }

    /// Creates the four schemas and runs the migrations.
    pub async fn migrate(&self, schemas: &Schemas) {
        let mut conn = self.conn().await;
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
        for (folder, schema) in schemas.each() {
            conn.query_drop(format!("CREATE DATABASE {schema}"))
                .await
                .unwrap();
            conn.query_drop(format!("USE {schema}")).await.unwrap();
            let mut files: Vec<_> = std::fs::read_dir(root.join(folder))
                .unwrap()
                .map(|f| f.unwrap().path())
                .collect();
            files.sort_by_key(|file| number_of(file));
            for file in files {
                conn.query_drop(
                    std::fs::read_to_string(file)
                        .unwrap()
                        .trim()
                        .trim_end_matches(';'),
                )
                .await
                .unwrap();
            }
        }
    }
}

/// The number in `V12__name.sql`: the order in which migrations run.
fn number_of(file: &Path) -> u32 {
    let name = file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    name[1..]
        .split("__")
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}

async fn hostname(conn: &mut Conn) -> String {
    conn.query_first("SELECT @@hostname")
        .await
        .unwrap()
        .unwrap_or_default()
}

fn spawn(dir: &Path, port: u16, extra: &[&str]) -> Child {
    let log = std::fs::File::create(dir.join("log")).unwrap();
    Command::new("mariadbd")
        .env("TMPDIR", dir)
        .arg("--no-defaults")
        .arg(format!("--datadir={}", dir.join("data").display()))
        .arg(format!("--socket={}", dir.join("s").display()))
        .arg(format!("--port={port}"))
        .args([
            "--bind-address=127.0.0.1",
            "--user=root",
            "--server-id=1",
            "--log-bin=bin",
            "--binlog-format=ROW",
        ])
        .args([
            "--binlog-row-image=FULL",
            "--binlog-row-metadata=FULL",
            "--sync-binlog=1",
        ])
        .args([
            "--innodb-flush-log-at-trx-commit=1",
            "--binlog-annotate-row-events=ON",
            "--max-allowed-packet=64M",
        ])
        .args(extra)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

impl Drop for TestServer {
    fn drop(&mut self) {
        match &mut self.program {
            ServerProgram::MariaDb(child) => {
                let _ = child.kill();
                let _ = child.wait();
            }
            ServerProgram::MySql(server) => drop(server.kill9()),
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
