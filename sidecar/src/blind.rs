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
pub struct Blind(Arc<Shared>);

struct Shared {
    causes: Mutex<BTreeMap<Cause, String>>,
    readiness: Readiness,
    gauge: IntGauge,
    changed: watch::Sender<Option<Arc<str>>>,
}

impl Blind {
    pub fn new(readiness: Readiness, gauge: IntGauge) -> Self {
        let (changed, _) = watch::channel(None);
        Blind(Arc::new(Shared { causes: Mutex::default(), readiness, gauge, changed }))
    }

    /// Sets or replaces a cause; it is logged when it is new or says something else.
    pub fn set(&self, cause: Cause, reason: impl Into<String>) {
        let reason = reason.into();
        let mut causes = self.0.causes.lock().unwrap_or_else(PoisonError::into_inner);
        let before = causes.insert(cause, reason.clone());
        if before.as_ref() == Some(&reason) {
            return;
        }
        // A lag is a number that changes all the time: said once.
        if before.is_none() || cause != Cause::Lag {
            tracing::error!(cause = cause.as_str(), reason, "blind");
        }
        self.0.readiness.set(cause.as_str(), Some(reason));
        self.publish(&causes);
    }

    pub fn clear(&self, cause: Cause) {
        let mut causes = self.0.causes.lock().unwrap_or_else(PoisonError::into_inner);
        if causes.remove(&cause).is_none() {
            return;
        }
        tracing::info!(cause = cause.as_str(), "sees again");
        self.0.readiness.set(cause.as_str(), None);
        self.publish(&causes);
    }

    /// All causes as one text, if there are any.
    pub fn reason(&self) -> Option<Arc<str>> {
        self.0.changed.borrow().clone()
    }

    /// Told at every change.
    pub fn subscribe(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.0.changed.subscribe()
    }

    pub fn causes(&self) -> BTreeMap<&'static str, String> {
        let causes = self.0.causes.lock().unwrap_or_else(PoisonError::into_inner);
        causes.iter().map(|(cause, reason)| (cause.as_str(), reason.clone())).collect()
    }

    fn publish(&self, causes: &BTreeMap<Cause, String>) {
        self.0.gauge.set(i64::from(!causes.is_empty()));
        let lines: Vec<String> = causes.iter().map(|(cause, reason)| format!("{}: {reason}", cause.as_str())).collect();
        self.0.changed.send_replace((!lines.is_empty()).then(|| lines.join("; ").into()));
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
        assert_eq!(blind.reason().as_deref(), Some("binlog: position lost; kafka: timed out"));
        blind.clear(Cause::Binlog);
        assert_eq!((gauge.get(), readiness.waits_for().len()), (1, 1));
        blind.clear(Cause::Kafka);
        assert_eq!((gauge.get(), blind.reason(), readiness.waits_for().len()), (0, None, 0));
        Ok(())
    }
}
