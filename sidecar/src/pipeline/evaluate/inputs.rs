//! Inputs of the evaluator: batches as they come, and control rows as gates let them pass.

use crate::pipeline::evaluate::StreamEvaluator;
use crate::pipeline::gate::source_gate::SourceGate;
use crate::stream::batches::{BinlogBatch, ControlRow, KafkaBatch, WatchedTransaction};
use crate::stream::change::{RuleInput, SourceKind};
use std::sync::Arc;

impl StreamEvaluator {
    pub(super) fn evaluate(&mut self, input: &RuleInput) {
        if let Some(tap) = &mut self.tap {
            tap.input(input);
        }
        if let Some(shadow) = &mut self.shadow {
            shadow.input(input);
        }
        self.evaluator.evaluate(input, &mut self.out.findings);
    }

    pub(super) fn binlog(&mut self, batch: BinlogBatch) {
        self.metrics.row_changes.inc_by(batch.changes as u64);
        if batch.server == 0 && self.replay.as_mut().is_some_and(|r| r.read(&batch)) {
            self.replay = None;
        }
        self.metrics.transactions.inc_by(batch.items.len() as u64);
        for item in batch.items {
            self.transaction(item);
        }
        self.progress.needs(batch.server, batch.needs_from);
        self.server_reached(batch.server, batch.position);
    }

    fn transaction(&mut self, item: WatchedTransaction) {
        let WatchedTransaction {
            transaction,
            control_rows,
            unlogged,
        } = item;
        let found = unlogged.iter().map(|u| {
            self.unlogged
                .finding(&transaction.position, u.table, u.count, &u.text)
        });
        self.out.findings.extend(found);
        self.evaluated.push(Arc::clone(&transaction));
        self.evaluate(&RuleInput::Transaction(transaction));
        for control_row in control_rows {
            match &mut self.server_gate {
                Some(gate) => gate.wait(control_row),
                None => self.control_row(control_row),
            }
        }
    }

    /// Everything of this server up to here was evaluated.
    fn server_reached(&mut self, server: usize, position: String) {
        let parsed = self.progress.server_reached(server, &position);
        if server == 0 {
            self.out.binlog = Some(position);
            return;
        }
        if let (Some(gate), Some(parsed)) = (&mut self.server_gate, parsed) {
            gate.read_up_to_part(server, parsed);
        }
        self.out.also.push((server, position));
    }

    pub(super) fn kafka(&mut self, batch: KafkaBatch) {
        self.metrics.events.inc_by(batch.events.len() as u64);
        for event in batch.events {
            self.evaluate(&RuleInput::Event(event));
        }
        self.out.dead_letters = batch.dead_letters;
        self.progress.kafka_reached(&batch.offsets);
        if let Some(gate) = &mut self.kafka_gate {
            gate.read_up_to(Arc::clone(&batch.offsets));
        }
        self.out.kafka = Some(batch.offsets);
    }

    /// Lets through what the other servers' ends, and then Kafka's, allow by now.
    pub(super) fn pass_gates(&mut self) {
        while let Some(passed) = self.server_gate.as_mut().and_then(SourceGate::pass_next) {
            passed
                .items
                .into_iter()
                .for_each(|row| self.control_row(row));
        }
        while let Some(passed) = self.kafka_gate.as_mut().and_then(SourceGate::pass_next) {
            self.kafka_activity.now();
            // Before the tokens of the same answer: a pair whose time is up by then is found
            // before they are announced.
            self.evaluate(&RuleInput::Watermark {
                source: SourceKind::Kafka,
                at_us: passed.at_us,
            });
            self.out.released.extend(passed.items);
        }
    }

    /// A control row of which the transaction was evaluated, and all that the other servers
    /// had by then.
    fn control_row(&mut self, row: ControlRow) {
        match row {
            // Only our own clock moves the watermark: a core whose clock is ahead
            // must not make others look late.
            ControlRow::Heartbeat { updated_us } => {
                self.evaluate(&RuleInput::Watermark {
                    source: SourceKind::Binlog,
                    at_us: updated_us,
                });
                self.out.heartbeat_us = Some(updated_us);
            }
            ControlRow::Token(token) => match &mut self.kafka_gate {
                Some(gate) => gate.wait(token),
                None => self.out.released.push(token),
            },
        }
    }
}
