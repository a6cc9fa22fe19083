//! A private, real Apache Kafka: one node that is broker and controller, its own
//! directory, loopback only. It keeps what it acknowledged over restarts, which the
//! embedded one can't, and knows transactions, retention and rebalances.

use crate::setup::process::{ChildProcess, ProgramSpec};
use crate::setup::{jars, ports};
use anyhow::Context;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use sluice_contract::kafka::{KafkaConnection, KafkaSecuritySettings};
use sluice_contract::settings::Secret;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// Enough for tests and one person's trials; a broker alone takes about 330 MB.
const JVM_HEAP_OPTIONS: [&str; 2] = ["-Xmx512m", "-Xms128m"];
/// One short-lived server on a small machine: starting fast is worth more than
/// running fast.
const JVM_OPTIONS: [&str; 3] = [
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
];
const START_TIMEOUT: Duration = Duration::from_secs(90);
const STOP_TIMEOUT: Duration = Duration::from_secs(60);
const ADMIN_TIMEOUT: Duration = Duration::from_secs(10);
/// 16 bytes in base64, without padding: any will do, since nobody else joins.
const CLUSTER_ID: &str = "c2x1aWNlLXByaXZhdGUxMQ";

/// SASL over TLS, as a broker asks for it of everybody.
#[derive(Debug, Clone)]
pub struct BrokerSecurity {
    pub user: String,
    pub password: String,
    /// PEM file with the broker's key and certificate, and the authority that signed it.
    pub key_and_certificate: PathBuf,
    pub ca: PathBuf,
}

impl BrokerSecurity {
    /// A client that knows the password, by the mechanism `sasl`.
    pub fn connection(&self, brokers: &str, sasl: &str) -> KafkaConnection {
        KafkaConnection {
            brokers: brokers.to_owned(),
            security: KafkaSecuritySettings {
                ca: Some(self.ca.clone()),
                sasl: Some(sasl.to_owned()),
                user: self.user.clone(),
                ..KafkaSecuritySettings::default()
            },
            password: Some(Secret::new(&self.password)),
        }
    }
}

/// A running broker. Dropping it kills it; its data stay in `dir`.
pub struct KafkaBroker {
    dir: PathBuf,
    connection: KafkaConnection,
    process: ChildProcess,
}

impl KafkaBroker {
    /// Starts one on `dir` (made and formatted if it isn't yet) and waits until it
    /// answers. `port` is a free one if `None`.
    pub async fn start(dir: &Path, port: Option<u16>) -> anyhow::Result<Self> {
        KafkaBroker::start_with(dir, port, None).await
    }

    /// As `start`, for one that lets in nobody without its password.
    pub async fn start_with(
        dir: &Path,
        port: Option<u16>,
        security: Option<&BrokerSecurity>,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir).with_context(|| format!("can't make {}", dir.display()))?;
        let dir = dir
            .canonicalize()
            .with_context(|| dir.display().to_string())?;
        let port = port.map_or_else(ports::free_port, Ok)?;
        let settings = settings(&dir, port, ports::free_port()?, security);
        std::fs::write(dir.join("server.properties"), settings)
            .context("can't write server.properties")?;
        std::fs::write(dir.join("log4j2.yaml"), LOG4J_CONFIG).context("can't write log4j2.yaml")?;
        if !dir.join("data/meta.properties").is_file() {
            format(&dir, security).await?;
        }
        let process = ChildProcess::spawn(program(&dir)?)?;
        // By its name: that is in its certificate.
        let connection = match security {
            Some(security) => security.connection(&format!("localhost:{port}"), "PLAIN"),
            None => KafkaConnection::open(&format!("127.0.0.1:{port}")),
        };
        let mut broker = KafkaBroker {
            dir,
            connection,
            process,
        };
        broker.wait().await?;
        Ok(broker)
    }

    /// For `bootstrap.servers`.
    pub fn brokers(&self) -> String {
        self.connection.brokers.clone()
    }

    pub fn log(&self) -> &Path {
        self.process.log()
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Ends it at once, as a crash does.
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
        self.process.terminate(STOP_TIMEOUT).await.map(drop)
    }

    /// Starts it again on the same data and port, after `kill9` or `stop`.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.process = ChildProcess::spawn(program(&self.dir)?)?;
        self.wait().await
    }

    /// Makes a topic; one that is there already stays as it is.
    pub async fn create_topic(&self, topic: &str, partitions: i32) -> anyhow::Result<()> {
        let topic = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        for result in self
            .admin()?
            .create_topics([&topic], &AdminOptions::new())
            .await?
        {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => anyhow::bail!("can't create topic {name}: {code}"),
            }
        }
        Ok(())
    }

    /// Raises a topic's number of partitions to `count`.
    pub async fn add_partitions(&self, topic: &str, count: usize) -> anyhow::Result<()> {
        let results = self
            .admin()?
            .create_partitions([&NewPartitions::new(topic, count)], &AdminOptions::new())
            .await?;
        first_error(results)
    }

    pub async fn delete_topic(&self, topic: &str) -> anyhow::Result<()> {
        first_error(
            self.admin()?
                .delete_topics(&[topic], &AdminOptions::new())
                .await?,
        )
    }

    /// Takes away everything before `offset`, as retention does.
    pub async fn delete_before(
        &self,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> anyhow::Result<()> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset))?;
        let deleted = self
            .admin()?
            .delete_records(&list, &AdminOptions::new())
            .await?;
        deleted
            .elements()
            .iter()
            .try_for_each(|element| Ok(element.error()?))
    }

    fn admin(&self) -> Result<AdminClient<DefaultClientContext>, KafkaError> {
        client(&self.connection).create()
    }

    async fn wait(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        let consumer: BaseConsumer = client(&self.connection).create()?;
        loop {
            let asked = consumer.fetch_metadata(None, Duration::from_millis(500));
            match asked {
                Ok(metadata) if !metadata.brokers().is_empty() => return Ok(()),
                Ok(_) => {
                    self.process
                        .pause_until(deadline, "it has no broker yet")
                        .await?
                }
                Err(error) => {
                    self.process
                        .pause_until(deadline, &error.to_string())
                        .await?
                }
            }
        }
    }
}

/// A client that doesn't complain while the broker starts.
fn client(connection: &KafkaConnection) -> ClientConfig {
    let mut config = ClientConfig::new();
    let properties = connection.properties();
    config.extend(properties.into_iter().map(|(n, v)| (n.to_owned(), v)));
    config
        .set("log_level", "0")
        .set("reconnect.backoff.max.ms", "200");
    config.set("request.timeout.ms", ADMIN_TIMEOUT.as_millis().to_string());
    config
}

fn first_error(results: Vec<Result<String, (String, RDKafkaErrorCode)>>) -> anyhow::Result<()> {
    match results.into_iter().find_map(Result::err) {
        Some((name, code)) => anyhow::bail!("topic {name}: {code}"),
        None => Ok(()),
    }
}

fn java(dir: &Path, name: &str, class: &str) -> anyhow::Result<ProgramSpec> {
    let mut program = ProgramSpec::at(jars::java()?, name, &dir.join("kafka.log"));
    program.args = JVM_HEAP_OPTIONS
        .iter()
        .chain(&JVM_OPTIONS)
        .map(Into::into)
        .collect();
    let log = format!(
        "-Dlog4j2.configurationFile={}",
        dir.join("log4j2.yaml").display()
    );
    Ok(program
        .arg(log)
        .arg("-cp")
        .arg(jars::class_path(&jars::jars("kafka")?))
        .arg(class))
}

fn program(dir: &Path) -> anyhow::Result<ProgramSpec> {
    Ok(java(dir, "kafka", "kafka.Kafka")?.arg(dir.join("server.properties")))
}

/// Writes the cluster's identity, once.
async fn format(dir: &Path, security: Option<&BrokerSecurity>) -> anyhow::Result<()> {
    let tool = java(dir, "kafka's storage tool", "kafka.tools.StorageTool")?;
    let tool = tool
        .arg("format")
        .arg("-t")
        .arg(CLUSTER_ID)
        .arg("-c")
        .arg(dir.join("server.properties"));
    let tool = match security {
        Some(BrokerSecurity { user, password, .. }) => tool
            .arg("--add-scram")
            .arg(format!("SCRAM-SHA-256=[name={user},password={password}]")),
        None => tool,
    };
    let mut formatting = ChildProcess::spawn(tool)?;
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        match formatting.ended()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => anyhow::bail!(
                "can't format {} ({status}); {}",
                dir.display(),
                formatting.tail()
            ),
            None => formatting
                .pause_until(deadline, "formatting")
                .await
                .or_else(|error| {
                    // It ended between the two looks: the next look tells how.
                    if formatting.is_running() {
                        Err(error)
                    } else {
                        Ok(())
                    }
                })?,
        }
    }
}

fn settings(dir: &Path, port: u16, controller: u16, security: Option<&BrokerSecurity>) -> String {
    let (protocol, host) = match security {
        Some(_) => ("SASL_SSL", "localhost"),
        None => ("PLAINTEXT", "127.0.0.1"),
    };
    let more = security.map_or_else(String::new, security_settings);
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners={protocol}://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners={protocol}://{host}:{port}\n\
         controller.listener.names=CONTROLLER\n\
         log.dirs={}\n\
         num.partitions=1\n\
         offsets.topic.num.partitions=1\n\
         offsets.topic.replication.factor=1\n\
         transaction.state.log.num.partitions=1\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         share.coordinator.state.topic.num.partitions=1\n\
         share.coordinator.state.topic.replication.factor=1\n\
         share.coordinator.state.topic.min.isr=1\n\
         group.initial.rebalance.delay.ms=0\n\
         log.flush.interval.messages=1\n{more}",
        dir.join("data").display()
    )
}

fn security_settings(security: &BrokerSecurity) -> String {
    let BrokerSecurity { user, password, .. } = security;
    let module = "org.apache.kafka.common.security";
    format!(
        "inter.broker.listener.name=SASL_SSL\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL\n\
         sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256\n\
         sasl.mechanism.inter.broker.protocol=PLAIN\n\
         listener.name.sasl_ssl.plain.sasl.jaas.config={module}.plain.PlainLoginModule required \
         username=\"{user}\" password=\"{password}\" user_{user}=\"{password}\";\n\
         listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config={module}.scram.ScramLoginModule required;\n\
         ssl.keystore.type=PEM\n\
         ssl.keystore.location={}\n\
         ssl.truststore.type=PEM\n\
         ssl.truststore.location={}\n",
        security.key_and_certificate.display(),
        security.ca.display()
    )
}

/// Warnings only: the log is shown when something fails.
const LOG4J_CONFIG: &str = "Configuration:
  Appenders:
    Console:
      name: out
      PatternLayout:
        pattern: '[%d] %p %m (%c)%n'
  Loggers:
    Root:
      level: WARN
      AppenderRef:
        - ref: out
";
