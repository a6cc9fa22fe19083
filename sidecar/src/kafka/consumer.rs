//! Business events. Partitions are assigned by hand and offsets kept with the
//! verdicts, so that Kafka's own idea of progress can't differ from ours; the
//! consumer group is told how far we are (docs/decisions/009-kafka-offsets.md).

pub use crate::kafka::ends::{ends, partitions, skip_control_records};
pub use crate::kafka::reader::KafkaReader;

use crate::kafka::settings::KafkaSourceSettings;
use rdkafka::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaResult;
use std::time::Duration;

/// One question to the brokers.
pub const QUERY_TIMEOUT: Duration = Duration::from_secs(2);
/// A consumer's purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsumerPurpose {
    /// Messages, but for those of aborted transactions.
    Committed,
    /// Nothing: it asks for ends. What lies behind an open transaction was published
    /// too and must be waited for.
    Ends,
}

/// Settings of a consumer, as readers and askers use it.
pub fn client(
    settings: &KafkaSourceSettings,
    suffix: &str,
    reads: ConsumerPurpose,
) -> ClientConfig {
    let isolation = if reads == ConsumerPurpose::Committed {
        "read_committed"
    } else {
        "read_uncommitted"
    };
    let mut config = ClientConfig::new();
    let connection = settings.connection().properties();
    config.extend(connection.into_iter().map(|(n, v)| (n.to_owned(), v)));
    config
        .set("group.id", format!("{}{suffix}", settings.group))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("isolation.level", isolation)
        // The marks that end a transaction are no messages; reaching an end is how
        // the reader learns that it is past them.
        .set("enable.partition.eof", "true")
        // Data lost to retention must be an error, never a silent jump.
        .set("auto.offset.reset", "error")
        .set("fetch.wait.max.ms", settings.fetch_wait_ms.to_string())
        .set("fetch.error.backoff.ms", "50")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "500")
        .set("socket.nagle.disable", "true")
        .set("allow.auto.create.topics", "true");
    config
}

/// A consumer that only asks.
pub fn end_offset_client(
    settings: &KafkaSourceSettings,
    suffix: &str,
) -> KafkaResult<BaseConsumer> {
    client(settings, suffix, ConsumerPurpose::Ends).create()
}
