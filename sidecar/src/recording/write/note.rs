//! Notes of what goes by, for headers.

use crate::recording::format::entry::{RecordingEntry, RecordingMark};
use crate::recording::write::RecordingWriter;
use crate::stream::change::{RuleInput, SourceKind};
use std::sync::Arc;

impl RecordingWriter {
    /// Notes what the block's header and the next segment's are to say.
    pub(super) fn note(&mut self, record: &RecordingEntry) {
        let position = match record {
            RecordingEntry::Input(RuleInput::Transaction(transaction)) => &transaction.position,
            RecordingEntry::Input(RuleInput::Event(event)) => &event.position,
            RecordingEntry::Input(RuleInput::Watermark { source, at_us }) => {
                let place = usize::from(*source == SourceKind::Kafka);
                self.watermarks[place] = self.watermarks[place].max(*at_us);
                self.meta.times[1] = self.meta.times[1].max(*at_us);
                return;
            }
            RecordingEntry::Mark(
                RecordingMark::Begin { rules, .. } | RecordingMark::Rules { hash: rules },
            ) => {
                self.rules = Arc::clone(rules);
                return;
            }
            RecordingEntry::Mark(RecordingMark::Gap { .. })
            | RecordingEntry::Input(RuleInput::AtRest(_)) => return,
        };
        if self.meta.positions[0].is_empty() {
            self.meta.positions[0] = Arc::clone(position);
        }
        self.meta.positions[1] = Arc::clone(position);
    }
}
