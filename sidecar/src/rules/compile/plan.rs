//! Planning of a rule set: each rule is entered where its trigger watches.

use crate::rules::runtime::rule_plan::{RulePlan, RuleWatch};
use crate::rules::runtime::rule_set::CompiledRule;
use crate::rules::text::tables::CATALOG_TABLES;
use crate::rules::trigger::kind::WatchPoint;

/// Plans `rules`, in their order.
pub(crate) fn plan_of(rules: &[CompiledRule]) -> RulePlan {
    let mut plan = RulePlan {
        by_table: vec![Vec::new(); CATALOG_TABLES.len()],
        transactions: vec![Vec::new(); CATALOG_TABLES.len()],
        ..RulePlan::default()
    };
    for (rule, compiled) in rules.iter().enumerate() {
        for point in compiled.header.trigger.kind().watches() {
            enter(&mut plan, rule, point);
        }
    }
    plan
}

fn enter(plan: &mut RulePlan, rule: usize, point: WatchPoint) {
    match point {
        WatchPoint::Row { table, side } => plan.by_table[table].push(RuleWatch { rule, side }),
        WatchPoint::Transaction { table } => plan.transactions[table].push(rule),
        WatchPoint::Event { kind, side } => {
            let watches = plan.by_event.entry(kind).or_default();
            watches.push(RuleWatch { rule, side });
        }
        WatchPoint::Fact(of) => plan.at_rest.push((of, rule)),
    }
}
