//! Why the sidecar can't see. Blindness is a state of its own, never "no findings":
//! while any cause is set, no fence token advances.

use prometheus::IntGauge;
use sluice_contract::telemetry::Readiness;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// What may be the cause; each is set and cleared by one part only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    Mysql,
    Preflight,
    Rules,
    Standby,
    Binlog,
    Position,
    Lag,
    Kafka,
    KafkaPosition,
    KafkaGroup,
    Commit,
    Died,
}

impl Cause {
    fn as_str(self) -> &'static str {
        match self {
            Cause::Mysql => "mysql",
            Cause::Preflight => "preflight",
            Cause::Rules => "rules",
            Cause::Standby => "standby",
            Cause::Binlog => "binlog",
            Cause::Position => "position",
            Cause::Lag => "lag",
            Cause::Kafka => "kafka",
            Cause::KafkaPosition => "kafka position",
            Cause::KafkaGroup => "kafka group",
            Cause::Commit => "commit",
            Cause::Died => "died",
        }
    }
}

/// The set of causes, shared by all parts.
#[derive(Clone)]
pub struct Blind {
    shared: Arc<Shared>,
    /// Of several database servers, the one that this part reads; else empty.
    server: Arc<str>,
}

/// A cause and its server.
type Named = (Cause, Arc<str>);

struct Shared {
    causes: Mutex<BTreeMap<Named, String>>,
    readiness: Readiness,
    gauge: IntGauge,
    changed: watch::Sender<Option<Arc<str>>>,
}

impl Blind {
    pub fn new(readiness: Readiness, gauge: IntGauge) -> Self {
        let (changed, _) = watch::channel(None);
        let shared = Shared {
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

    /// The same set, for a part that reads one of several servers.
    pub fn of(&self, server: &str) -> Self {
        Blind {
            shared: Arc::clone(&self.shared),
            server: server.into(),
        }
    }

    /// Sets or replaces a cause; it is logged when it is new or says something else.
    pub fn set(&self, cause: Cause, reason: impl Into<String>) {
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
        if before.is_none() || cause != Cause::Lag {
            tracing::error!(cause = in_words(&named), reason, "blind");
        }
        self.shared.readiness.set(&in_words(&named), Some(reason));
        self.publish(&causes);
    }

    pub fn clear(&self, cause: Cause) {
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

    /// Told at every change.
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

    fn publish(&self, causes: &BTreeMap<Named, String>) {
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
fn in_words((cause, server): &Named) -> String {
    if server.is_empty() {
        cause.as_str().to_owned()
    } else {
        format!("{} {server}", cause.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blind_until_the_last_cause_is_gone() -> anyhow::Result<()> {
        let gauge = IntGauge::new("blind_test", "test")?;
        let readiness = Readiness::default();
        let blind = Blind::new(readiness.clone(), gauge.clone());
        blind.set(Cause::Kafka, "timed out");
        blind.set(Cause::Binlog, "position lost");
        assert_eq!(
            blind.reason().as_deref(),
            Some("binlog: position lost; kafka: timed out")
        );
        blind.clear(Cause::Binlog);
        assert_eq!((gauge.get(), readiness.waits_for().len()), (1, 1));
        let balance = blind.of("balance");
        balance.set(Cause::Binlog, "gone");
        blind.clear(Cause::Binlog);
        assert_eq!(
            blind.reason().as_deref(),
            Some("binlog balance: gone; kafka: timed out")
        );
        balance.clear(Cause::Binlog);
        blind.clear(Cause::Kafka);
        assert_eq!(
            (gauge.get(), blind.reason(), readiness.waits_for().len()),
            (0, None, 0)
        );
        Ok(())
    }
}
