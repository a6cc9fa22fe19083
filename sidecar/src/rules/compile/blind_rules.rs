//! Blind rules: those that can't see what they compare are set to `draft`, by name.

use crate::rules::runtime::rule_set::{CompiledRule, RuleSet};
use crate::rules::text::rule_mode::RuleMode;
use crate::rules::text::tables::CATALOG_TABLES;
use std::sync::Arc;

impl RuleSet {
    /// Sets rules to `draft` that can't decide without seeing `tables`; returns their
    /// ids. A rule that also looks at others decides by those.
    pub fn without(&mut self, tables: &[&str]) -> Vec<String> {
        let unseen = |table: &str| tables.contains(&table);
        self.set_to_draft(|rule| rule.header.trigger.kind().is_blind_without(&unseen))
    }

    /// Sets rules to `draft` whose code compares tables of different servers and that can
    /// see one server's part only; returns their ids. No transaction has rows of both. A
    /// rule that looks at many tables and names none of them, such as provenance, judges
    /// each server's part.
    pub fn split_servers(&mut self, server_of: impl Fn(&str) -> Option<usize>) -> Vec<String> {
        self.set_to_draft(|rule| {
            rule.header.mode != RuleMode::Draft
                && rule.header.trigger.kind().needs_one_server()
                && names_several_servers(rule, &server_of)
        })
    }

    fn set_to_draft(&mut self, is_blind: impl Fn(&CompiledRule) -> bool) -> Vec<String> {
        let mut asleep = Vec::new();
        for rule in self.rules.iter_mut() {
            if is_blind(rule) {
                Arc::make_mut(&mut rule.header).mode = RuleMode::Draft;
                asleep.push(rule.header.id.clone());
            }
        }
        asleep
    }
}

fn names_several_servers(rule: &CompiledRule, server_of: impl Fn(&str) -> Option<usize>) -> bool {
    let named = CATALOG_TABLES
        .iter()
        .enumerate()
        .filter(|(at, _)| rule.names & (1 << at) != 0);
    // Every server has an outbox.
    let mut servers = named
        .filter(|(_, t)| t.name != "outbox")
        .map(|(_, t)| server_of(t.name));
    let first = servers.next();
    servers.any(|server| Some(server) != first)
}
