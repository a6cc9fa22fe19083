//! The end of a message: what the result says besides findings and tokens.

use crate::pipeline::evaluate::StreamEvaluator;
use std::sync::Arc;

impl StreamEvaluator {
    pub(super) fn finish(&mut self) {
        if let Some(tap) = &mut self.tap {
            tap.hand_over();
        }
        if let Some(shadow) = &mut self.shadow {
            shadow.hand_over();
        }
        self.publish_uses(false);
        self.add_holds();
        self.out.pairs = self.evaluator.open_pairs();
        self.metrics
            .pairs_lagging
            .set(i64::try_from(self.evaluator.lagging()).unwrap_or(i64::MAX));
        self.name_rules();
        if let Some(replay) = self.progress.replay(&self.evaluator) {
            self.out.replay_also = replay.also;
            self.out.replay = Some((replay.binlog, replay.kafka));
        }
        self.count_errors();
    }

    pub(super) fn name_rules(&mut self) {
        self.out.rules_hash = Arc::clone(&self.rules_hash);
        self.out.rules_version = self.rules_version;
    }

    fn add_holds(&mut self) {
        let version = self.evaluator.holds_version();
        if self.holds_version == Some(version) {
            return;
        }
        self.holds_version = Some(version);
        // Without Kafka the other half of a pair can't come: nothing waits for it.
        let holds = if self.kafka_gate.is_some() {
            self.evaluator.holds()
        } else {
            Vec::new()
        };
        self.out.holds = Some(Arc::new(holds));
    }

    fn count_errors(&mut self) {
        for error in self.evaluator.errors() {
            self.metrics
                .rule_errors
                .with_label_values(&[&error.rule])
                .inc();
            let times = self.errors.entry(error.rule.to_string()).or_default();
            *times += 1;
            // A rule that fails on every row must not flood the log.
            if times.is_power_of_two() {
                tracing::error!(rule = %error.rule, times, message = %error.message, "a rule failed to evaluate");
            }
        }
    }
}
