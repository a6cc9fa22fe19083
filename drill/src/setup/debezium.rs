//! Debezium's own engine on a private MariaDB, writing into Kafka what a connector
//! on Kafka Connect would write.

use crate::setup::jars;
use anyhow::Context;
use mysql_async::Opts;
use sluice_contract::schema::Schemas;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use crate::setup::process::{ChildProcess, ProgramSpec};

/// The connector's `topic.prefix` here.
pub const TOPIC_PREFIX: &str = "bank";
/// Memory that it needs for one small database.
const JVM_OPTIONS: [&str; 3] = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Every topic that the sidecar reads from the feed of a database.
pub fn topics(schemas: &Schemas) -> Vec<String> {
    let tables = sluice_sidecar::binlog::watched_tables::tables(schemas);
    let rows = tables
        .iter()
        .map(|((schema, table), _)| format!("{TOPIC_PREFIX}.{schema}.{table}"));
    rows.chain([
        TOPIC_PREFIX.to_owned(),
        format!("{TOPIC_PREFIX}.transaction"),
    ])
    .collect()
}

/// Starts it and waits until it follows the binlog. Its offsets are in `dir`, so that
/// it goes on where it was after `restart`.
pub async fn start(
    dir: &Path,
    mysql_url: &str,
    brokers: &str,
    schemas: &Schemas,
) -> anyhow::Result<ChildProcess> {
    std::fs::create_dir_all(dir).with_context(|| format!("can't make {}", dir.display()))?;
    let path = dir.join("capture.properties");
    let settings = settings(dir, &Opts::from_url(mysql_url)?, brokers, schemas);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path);
    file.and_then(|mut f| f.write_all(settings.as_bytes()))
        .with_context(|| path.display().to_string())?;
    let debezium = jars::class_path(&jars::jars("debezium")?);
    // The engine's own client comes first; Kafka's jars bring a logger.
    let class_path = format!("{debezium}:{}", jars::class_path(&jars::jars("kafka")?));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/java/Capture.java");
    let mut program = ProgramSpec::at(jars::java()?, "debezium", &dir.join("debezium.log"));
    program.args = JVM_OPTIONS.iter().map(Into::into).collect();
    let mut process =
        ChildProcess::spawn(program.arg("-cp").arg(class_path).arg(source).arg(&path))?;
    wait(&mut process).await?;
    Ok(process)
}

/// Waits until it says that it follows.
pub async fn wait(process: &mut ChildProcess) -> anyhow::Result<()> {
    let said = |process: &ChildProcess| {
        let log = std::fs::read(process.log()).unwrap_or_default();
        String::from_utf8_lossy(&log)
            .matches("Connected to ")
            .count()
    };
    let before = said(process);
    let deadline = tokio::time::Instant::now() + START_TIMEOUT;
    while said(process) <= before {
        process
            .pause_until(deadline, "it does not follow the binlog")
            .await?;
    }
    Ok(())
}

fn settings(dir: &Path, server: &Opts, brokers: &str, schemas: &Schemas) -> String {
    let databases = schemas.each().map(|(_, name)| name).join(",");
    let tables = sluice_sidecar::binlog::watched_tables::tables(schemas);
    let tables = tables
        .iter()
        .map(|((schema, table), _)| format!("{schema}\\\\.{table}"))
        .collect::<Vec<_>>()
        .join(",");
    format!(
        "sluice.brokers={brokers}\n\
         name=sluice\n\
         connector.class=io.debezium.connector.mariadb.MariaDbConnector\n\
         topic.prefix={TOPIC_PREFIX}\n\
         database.hostname={host}\n\
         database.port={port}\n\
         database.user={user}\n\
         database.password={password}\n\
         database.server.id=7001\n\
         database.include.list={databases}\n\
         table.include.list={tables}\n\
         snapshot.mode=no_data\n\
         decimal.handling.mode=string\n\
         provide.transaction.metadata=true\n\
         include.schema.changes=true\n\
         skipped.operations=none\n\
         converter.schemas.enable=false\n\
         poll.interval.ms=5\n\
         offset.storage=org.apache.kafka.connect.storage.FileOffsetBackingStore\n\
         offset.storage.file.filename={dir}/offsets\n\
         offset.flush.interval.ms=0\n\
         schema.history.internal=io.debezium.storage.file.history.FileSchemaHistory\n\
         schema.history.internal.file.filename={dir}/history\n",
        host = server.ip_or_hostname(),
        port = server.tcp_port(),
        user = server.user().unwrap_or_default(),
        password = server.pass().unwrap_or_default(),
        dir = dir.display(),
    )
}
