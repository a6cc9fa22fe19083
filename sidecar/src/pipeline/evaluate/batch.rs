//! Results of evaluation: what one message of the feed led to.

use crate::pipeline::MAX_QUEUED_RESULTS;
use crate::rules::runtime::finding::Finding;
use crate::state_file::StateToWrite;
use crate::stream::batches::{DeadLetter, FenceToken};
use crate::stream::offsets::PartitionOffsets;
use crate::stream::origins::ChangeOrigin;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// One message's result. Everything in it was evaluated, and nothing after it.
#[derive(Debug, Default)]
pub struct EvaluatedBatch {
    pub findings: Vec<Finding>,
    /// Requests that findings are about, by verdict id.
    pub origins: HashMap<String, ChangeOrigin>,
    /// Tokens whose every condition is met, once the findings are committed.
    pub released: Vec<FenceToken>,
    pub heartbeat_us: Option<i64>,
    pub binlog: Option<String>,
    /// As `binlog`, of servers 1, 2, …
    pub also: Vec<(usize, String)>,
    pub kafka: Option<Arc<PartitionOffsets>>,
    /// Events that no rule can see.
    pub dead_letters: Vec<DeadLetter>,
    /// A restart begins to read here: binlog, then Kafka.
    pub replay: Option<(String, Option<String>)>,
    /// As `replay`, of servers 1, 2, …
    pub replay_also: Vec<String>,
    pub holds: Option<Arc<Vec<String>>>,
    pub rules_hash: Arc<str>,
    pub rules_version: i64,
    pub pairs: usize,
    /// Memory of rules after it, to be written once all of it is committed.
    pub state: Option<Box<StateToWrite>>,
}

/// The queue of results to the committer.
pub fn results() -> (mpsc::Sender<EvaluatedBatch>, mpsc::Receiver<EvaluatedBatch>) {
    mpsc::channel(MAX_QUEUED_RESULTS)
}
