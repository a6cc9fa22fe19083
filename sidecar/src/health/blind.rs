//! Why the sidecar can't see. Blindness is a state of its own, never "no findings":
//! while any cause is set, no fence token advances.

use prometheus::IntGauge;
use sluice_contract::string_enum;
use sluice_contract::telemetry::Readiness;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

string_enum! {
    /// Causes of blindness; each is set and cleared by one part only.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub enum BlindCause("a cause of blindness") {
        Mysql = "mysql",
        Preflight = "preflight",
        Rules = "rules",
        Standby = "standby",
        Binlog = "binlog",
        Position = "position",
        Lag = "lag",
        Kafka = "kafka",
        KafkaPosition = "kafka position",
        KafkaGroup = "kafka group",
        Commit = "commit",
        Breakers = "breakers",
        Died = "died",
    }
}

/// The set of causes, shared by all parts.
#[derive(Clone)]
pub struct Blind {
    shared: Arc<BlindState>,
    /// Of several database servers, the one that this part reads; else empty.
    server: Arc<str>,
}

/// A cause and its server.
type ServerCause = (BlindCause, Arc<str>);

struct BlindState {
    causes: Mutex<BTreeMap<ServerCause, String>>,
    readiness: Readiness,
    gauge: IntGauge,
    changed: watch::Sender<Option<Arc<str>>>,
}

impl Blind {
    pub fn new(readiness: Readiness, gauge: IntGauge) -> Self {
        let (changed, _) = watch::channel(None);
        let shared = BlindState {
            causes: Mutex::default(),
            readiness,
            gauge,
            changed,
        };
        Blind {
            shared: Arc::new(shared),
            server: "".into(),
        }
    }

    /// Returns the same set, for a part that reads one of several servers.
    pub fn of(&self, server: &str) -> Self {
        Blind {
            shared: Arc::clone(&self.shared),
            server: server.into(),
        }
    }

    /// Sets or replaces a cause; it is logged when it is new or says something else.
    pub fn set(&self, cause: BlindCause, reason: impl Into<String>) {
        let reason = reason.into();
        let named = (cause, Arc::clone(&self.server));
        let mut causes = self
            .shared
            .causes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = causes.insert(named.clone(), reason.clone());
        if before.as_ref() == Some(&reason) {
            return;
        }
        // A lag is a number that changes all the time: said once.
        if before.is_none() || cause != BlindCause::Lag {
            tracing::error!(cause = in_words(&named), reason, "blind");
        }
        self.shared.readiness.set(&in_words(&named), Some(reason));
        self.publish(&causes);
    }

    pub fn clear(&self, cause: BlindCause) {
        let named = (cause, Arc::clone(&self.server));
        let mut causes = self
            .shared
            .causes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if causes.remove(&named).is_none() {
            return;
        }
        tracing::info!(cause = in_words(&named), "sees again");
        self.shared.readiness.set(&in_words(&named), None);
        self.publish(&causes);
    }

    /// All causes as one text, if there are any.
    pub fn reason(&self) -> Option<Arc<str>> {
        self.shared.changed.borrow().clone()
    }

    /// Subscribes to every change.
    pub fn subscribe(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.shared.changed.subscribe()
    }

    pub fn causes(&self) -> BTreeMap<String, String> {
        let causes = self
            .shared
            .causes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        causes
            .iter()
            .map(|(named, reason)| (in_words(named), reason.clone()))
            .collect()
    }

    fn publish(&self, causes: &BTreeMap<ServerCause, String>) {
        self.shared.gauge.set(i64::from(!causes.is_empty()));
        let lines: Vec<String> = causes
            .iter()
            .map(|(named, reason)| format!("{}: {reason}", in_words(named)))
            .collect();
        self.shared
            .changed
            .send_replace((!lines.is_empty()).then(|| lines.join("; ").into()));
    }
}

/// `binlog`, or `binlog balance` of one of several servers.
fn in_words((cause, server): &ServerCause) -> String {
    if server.is_empty() {
        cause.as_str().to_owned()
    } else {
        format!("{} {server}", cause.as_str())
    }
}

#[cfg(test)]
#[path = "blind_tests.rs"]
mod tests;
