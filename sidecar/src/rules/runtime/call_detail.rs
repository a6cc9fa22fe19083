//! The detail of a finding: the inputs and reads of the call that found it.

use crate::rules::runtime::rule_call::RuleRun;
use crate::rules::runtime::rule_set::CompiledRule;
use crate::rules::transaction::transaction_view::TransactionView;
use crate::rules::views::event_view::EventView;
use crate::rules::views::image_view::ImageView;
use crate::rules::views::row_view::RowView;
use crate::rules::views::trace::{self, FindingDetail, TracedInput};
use crate::rules::views::window_view::WindowView;
use rhai::{Dynamic, FuncArgs};
use std::sync::Arc;

/// Calls of one input whose reads are traced. A mass change finds the same thing
/// in every row; a thousand explanations say it.
const MAX_DETAILED_CALLS: usize = 1_000;

impl RuleRun<'_> {
    /// Everything that the call looked at: it is made again, with its reads traced if `traced`.
    pub(super) fn detail(
        &mut self,
        rule: &CompiledRule,
        function: &str,
        args: impl FuncArgs + Clone,
        traced: bool,
    ) -> Arc<FindingDetail> {
        let mut given: Vec<Dynamic> = Vec::new();
        args.clone().parse(&mut given);
        let mut inputs: Vec<TracedInput> = given.iter().flat_map(inputs_of).collect();
        inputs.extend(self.because.clone());
        let params = rule
            .header
            .params
            .iter()
            .map(|(name, value)| (name.clone(), value.to_string()))
            .collect();
        if !traced || self.detailed == MAX_DETAILED_CALLS {
            return Arc::new(FindingDetail {
                inputs,
                reads: Vec::new(),
                params,
                cut: true,
            });
        }
        self.detailed += 1;
        let (reads, cut) = trace::trace_reads(|| drop(self.answer(rule, function, args)));
        Arc::new(FindingDetail {
            inputs,
            reads,
            params,
            cut,
        })
    }
}

/// The inputs behind an argument of a call. A fact of the audit has none: its position
/// is the audit itself.
fn inputs_of(argument: &Dynamic) -> Vec<TracedInput> {
    if let Some(row) = argument.read_lock::<RowView>() {
        return vec![row.seen()];
    }
    if let Some(image) = argument.read_lock::<ImageView>() {
        return vec![image.seen()];
    }
    if let Some(event) = argument.read_lock::<EventView>() {
        return vec![event.seen()];
    }
    if let Some(tx) = argument.read_lock::<TransactionView>() {
        return vec![tx.seen()];
    }
    argument
        .read_lock::<WindowView>()
        .map(|earlier| earlier.inputs())
        .unwrap_or_default()
}
