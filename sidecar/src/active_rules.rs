//! The rule set in use: loaded by the reloader, read by everybody else.

use crate::rules::runtime::rule_set::RuleSet;
use std::sync::Arc;
use tokio::sync::{Notify, watch};

/// Read side of the rule set in use. Clones see the same set.
#[derive(Clone)]
pub struct ActiveRuleSet {
    /// `None` until the first set is loaded.
    pub receiver: watch::Receiver<Option<Arc<RuleSet>>>,
    /// Notified when this process put another set in force, so that it is loaded at once.
    pub changed: Arc<Notify>,
}

impl ActiveRuleSet {
    /// Makes the two sides; the sender is the reloader's.
    pub fn channel() -> (watch::Sender<Option<Arc<RuleSet>>>, ActiveRuleSet) {
        let (sender, receiver) = watch::channel(None);
        let changed = Arc::default();
        (sender, ActiveRuleSet { receiver, changed })
    }

    /// Returns the set as it is now.
    pub fn current(&self) -> Option<Arc<RuleSet>> {
        self.receiver.borrow().clone()
    }
}
