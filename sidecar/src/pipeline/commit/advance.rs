//! Progress of the committer: positions that a batch moves forward, and what is
//! announced once they are safe.

use crate::leader::checkpoint_repo::CheckpointRow;
use crate::pipeline::commit::BatchCommitter;
use crate::pipeline::evaluate::EvaluatedBatch;
use crate::workflow::arming::ArmingResult;
use crate::workflow::arming::record::report_recorded;
use sluice_contract::clock::now_us;
use sluice_contract::telemetry::seconds;

impl BatchCommitter {
    /// Moves the checkpoint's rows to the end of this batch.
    pub(super) fn advance(&mut self, one: &EvaluatedBatch) {
        if let Some(position) = &one.binlog {
            self.binlog.position.clone_from(position);
        }
        for (server, position) in &one.also {
            if let Some(row) = server.checked_sub(1).and_then(|at| self.also.get_mut(at)) {
                row.position.clone_from(position);
            }
        }
        for (row, replay_from) in self.also.iter_mut().zip(&one.replay_also) {
            row.replay_from.clone_from(replay_from);
        }
        if let Some(offsets) = &one.kafka {
            let position = offsets.render();
            match &mut self.kafka {
                Some(row) => row.position = position,
                none => {
                    *none = Some(CheckpointRow {
                        source: "kafka".to_owned(),
                        replay_from: position.clone(),
                        position,
                    })
                }
            }
        }
        if let Some((binlog, kafka)) = &one.replay {
            self.binlog.replay_from.clone_from(binlog);
            if let (Some(row), Some(kafka)) = (&mut self.kafka, kafka) {
                row.replay_from.clone_from(kafka);
            }
        }
        if *one.rules_hash != *self.rules_hash {
            self.rules_hash = one.rules_hash.chars().take(16).collect();
        }
    }

    /// Tells cores and operators of a batch whose verdicts are committed.
    pub(super) fn announce(&self, one: EvaluatedBatch) {
        let now = now_us();
        for token in &one.released {
            self.health
                .metrics
                .fence_token_seconds
                .observe(seconds(now.saturating_sub(token.updated_us)));
        }
        self.health
            .metrics
            .pairs_open
            .set(i64::try_from(one.pairs).unwrap_or(i64::MAX));
        self.fence.announce(&one.released, one.holds);
        self.health.status.update(|s| {
            s.binlog.clone_from(&self.binlog.position);
            for row in std::iter::once(&self.binlog).chain(&self.also) {
                s.positions.insert(row.source.clone(), row.position.clone());
            }
            s.kafka = self.kafka.as_ref().map(|k| k.position.clone());
            s.rules_hash.clone_from(&self.rules_hash);
            s.pairs_open = one.pairs;
            if let Some(heartbeat_us) = one.heartbeat_us {
                s.came_back(heartbeat_us);
            }
        });
    }

    /// Reports what a commit recorded.
    pub(super) fn recorded(&self, judged: &ArmingResult) {
        report_recorded(
            judged,
            &self.seal,
            self.health.metrics,
            &self.health.status,
            &self.rules.changed,
        );
        let kafka_committed = self.kafka.as_ref().map(|row| row.position.clone());
        self.health
            .status
            .update(|s| s.kafka_committed = kafka_committed);
    }
}
