//! A private MariaDB or MySQL in a temporary folder, on a free loopback port; gone
//! with the test.
#![allow(dead_code)] // Each test file uses its part.
#![allow(clippy::unwrap_used)] // A test may panic.
pub mod balances;
pub mod daemon;
pub mod fence_lines;
mod mariadb;
mod migrate;
pub mod signed;
pub mod tail;

use crate::server::mariadb::{hostname, install, spawn};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use sluice_drill::setup::{MysqlServer, mysql};
use sluice_sidecar::stream::gtid::Flavour;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
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
        install(&dir).await;
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
