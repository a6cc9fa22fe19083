//! Gates hold a control row until another source is read up to its end offsets: the promise
//! that everything committed or published before a token is evaluated before the token is
//! announced.
//!
//! | phase | where |
//! |---|---|
//! | number the row, ring | `SourceGate::wait`, on the evaluator's thread |
//! | load the last number, then ask where the source ends | `asker`, a thread of its own |
//! | send both back | `SourceMessage::{KafkaEnds, ServerEnds}` |
//! | read on past the ends, let the row pass | `SourceGate::pass_next`, on the evaluator's thread |
//!
//! Two gates stand one behind the other: first that of the other servers (every control row
//! of the first server waits), then Kafka's (tokens wait).

pub mod asker;
pub mod kafka_ends;
pub mod requests;
pub mod server_ends;
pub mod source_gate;

use crate::stream::batches::{ControlRow, FenceToken};
use crate::stream::gtid::GtidSet;
use crate::stream::offsets::PartitionOffsets;
use source_gate::SourceGate;
use std::sync::Arc;

/// The gate of the other servers.
pub type ServerGate = SourceGate<Vec<GtidSet>, ControlRow>;

/// The gate of Kafka.
pub type KafkaGate = SourceGate<Arc<PartitionOffsets>, FenceToken>;
