//! Debezium as a peer of the catch-up: its own engine reads the same binlog of the same server
//! in the same run, hands every change of the same tables over, and nothing is done with them.

use crate::setup::jars;
use crate::setup::process::{ChildProcess, ProgramSpec};
use anyhow::{Context, ensure};
use mysql_async::Opts;
use serde::Serialize;
use sluice_contract::schema::Schemas;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest life of one run of it; it gives up earlier by itself.
const RUN_TIMEOUT: Duration = Duration::from_secs(330);
const JVM_OPTIONS: [&str; 1] = ["-Xmx1g"];

/// Speed of Debezium's engine over a binlog, in row changes per second.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct PeerFigures {
    /// As Kafka Connect's structs.
    pub structs_rows_per_s: u64,
    /// As JSON without schemas.
    pub json_rows_per_s: u64,
}

/// A Debezium that remembers where this binlog began.
pub struct DebeziumPeer {
    dir: PathBuf,
    settings: String,
}

impl DebeziumPeer {
    /// Sets its offset: called when the tables are there and nothing is in them.
    ///
    /// # Errors
    /// No Java, no jars, or an engine that does not start.
    pub async fn begin(dir: &Path, url: &str, schemas: &Schemas) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
        let peer = DebeziumPeer {
            dir: dir.to_owned(),
            settings: settings(&Opts::from_url(url)?, schemas),
        };
        let begun = dir.join("begun");
        std::fs::create_dir_all(&begun)?;
        peer.run(&begun, 0, "structs").await?;
        Ok(peer)
    }

    /// Reads `rows` row changes in either format, one after the other.
    ///
    /// # Errors
    /// An engine that fails, or does not get there.
    pub async fn measure(&self, rows: u64) -> anyhow::Result<PeerFigures> {
        Ok(PeerFigures {
            structs_rows_per_s: self.read(rows, "structs").await?,
            json_rows_per_s: self.read(rows, "json").await?,
        })
    }

    async fn read(&self, rows: u64, format: &str) -> anyhow::Result<u64> {
        let dir = self.dir.join(format);
        std::fs::create_dir_all(&dir)?;
        for file in ["offsets", "history"] {
            std::fs::copy(self.dir.join("begun").join(file), dir.join(file)).context(file)?;
        }
        let output = self.run(&dir, rows, format).await?;
        let line = output.lines().find_map(|line| line.strip_prefix("rows "));
        let (seen, ms) = line
            .and_then(|line| line.split_once(" ms "))
            .with_context(|| format!("Debezium said nothing:\n{output}"))?;
        let (seen, ms): (u64, u64) = (seen.parse()?, ms.parse()?);
        Ok(seen * 1_000 / ms.max(1))
    }

    /// One run; answers its log.
    async fn run(&self, dir: &Path, rows: u64, format: &str) -> anyhow::Result<String> {
        let file = dir.join("catch-up.properties");
        let own = format!(
            "offset.storage.file.filename={dir}/offsets\n\
             schema.history.internal.file.filename={dir}/history\n",
            dir = dir.display()
        );
        std::fs::write(&file, format!("{}{own}", self.settings))?;
        let debezium = jars::class_path(&jars::jars("debezium")?);
        let class_path = format!("{debezium}:{}", jars::class_path(&jars::jars("kafka")?));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/java/CatchUp.java");
        let log = dir.join("debezium.log");
        let mut program = ProgramSpec::at(jars::java()?, "debezium", &log);
        program.args = JVM_OPTIONS.iter().map(Into::into).collect();
        let program = program.arg("-cp").arg(class_path).arg(source).arg(&file);
        let mut process = ChildProcess::spawn(program.arg(rows.to_string()).arg(format))?;
        let deadline = tokio::time::Instant::now() + RUN_TIMEOUT;
        let status = loop {
            if let Some(status) = process.ended()? {
                break status;
            }
            ensure!(
                tokio::time::Instant::now() < deadline,
                "Debezium does not end: {}",
                process.tail()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        ensure!(status.success(), "Debezium failed: {}", process.tail());
        Ok(std::fs::read_to_string(&log)?)
    }
}

fn settings(server: &Opts, schemas: &Schemas) -> String {
    let databases = schemas.each().map(|(_, name)| name);
    let tables = sluice_sidecar::binlog::watched_tables::tables(schemas);
    let tables: Vec<String> = tables
        .iter()
        .map(|((schema, table), _)| format!("{schema}\\\\.{table}"))
        .collect();
    format!(
        "peer.tables=orders,entry,balance\n\
         name=peer\n\
         connector.class=io.debezium.connector.mariadb.MariaDbConnector\n\
         topic.prefix=peer\n\
         database.hostname={host}\n\
         database.port={port}\n\
         database.user={user}\n\
         database.password={password}\n\
         database.server.id=7002\n\
         database.ssl.mode=disable\n\
         database.include.list={databases}\n\
         table.include.list={tables}\n\
         snapshot.mode=no_data\n\
         converter.schemas.enable=false\n\
         max.batch.size=8192\n\
         max.queue.size=32768\n\
         poll.interval.ms=10\n\
         offset.storage=org.apache.kafka.connect.storage.FileOffsetBackingStore\n\
         offset.flush.interval.ms=1000\n\
         schema.history.internal=io.debezium.storage.file.history.FileSchemaHistory\n",
        host = server.ip_or_hostname(),
        port = server.tcp_port(),
        user = server.user().unwrap_or_default(),
        password = server.pass().unwrap_or_default(),
        databases = databases.join(","),
        tables = tables.join(","),
    )
}
