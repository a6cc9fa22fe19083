//! A configuration as a file (TOML): `[[channel]]`, `[[rule]]` with its details per
//! channel, `[[limit]]`, `no_route`. An example: docs/routing.example.toml.

use crate::routing::configuration::draft::RoutingDraft;
use crate::routing::configuration::file_format::{
    RoutingFile, RoutingFileChannel, RoutingFileLimit, RoutingFileRule,
};
use crate::routing::configuration::file_value::RoutingFileValue;
use crate::routing::rows::{RoutingChannelRow, RoutingDetailRow, RoutingLimitRow, RoutingRuleRow};
use crate::routing::{NoRouteAction, RoutingProblem};
use anyhow::Context;
use rust_decimal::Decimal;
use std::collections::HashMap;

pub use crate::routing::configuration::file_writer::write;

/// Line in which each place of a problem begins.
pub type RoutingLineNumbers = HashMap<String, usize>;

/// Reads a file.
///
/// # Errors
/// Everything that can't be read, with its line.
pub fn parse(text: &str) -> Result<(RoutingDraft, RoutingLineNumbers), Vec<RoutingProblem>> {
    let file: RoutingFile = toml::from_str(text)
        .map_err(|e| vec![RoutingProblem::new("file", e.to_string().trim_end())])?;
    let mut lines = RoutingLineNumbers::new();
    let mut note = |place: &str, start: usize| {
        lines
            .entry(place.to_owned())
            .or_insert(1 + text[..start.min(text.len())].matches('\n').count());
    };
    let mut problems = Vec::new();
    let mut draft = RoutingDraft {
        no_route: file.no_route,
        ..RoutingDraft::default()
    };
    for entry in file.channels {
        note(
            &format!("channel {}", entry.get_ref().id),
            entry.span().start,
        );
        let RoutingFileChannel {
            id,
            priority,
            weight,
            paused,
            note,
        } = entry.into_inner();
        draft.channels.push(RoutingChannelRow {
            channel: id,
            priority,
            weight,
            paused,
            note,
        });
    }
    for entry in file.rules {
        let place = format!("rule {}", entry.get_ref().id);
        note(&place, entry.span().start);
        match entry.into_inner().row(file.no_route) {
            Ok(row) => draft.rules.push(row),
            Err(error) => problems.push(RoutingProblem::new(&place, format!("{error:#}"))),
        }
    }
    for entry in file.limits {
        let start = entry.span().start;
        match entry.into_inner().row(file.no_route) {
            Ok(row) => {
                note(&row.place(), start);
                draft.limits.push(row);
            }
            Err(error) => {
                note("limit", start);
                problems.push(RoutingProblem::new("limit", format!("{error:#}")));
            }
        }
    }
    if problems.is_empty() {
        Ok((draft.canonical(), lines))
    } else {
        Err(problems)
    }
}

impl RoutingFileRule {
    fn row(self, no_route: NoRouteAction) -> anyhow::Result<RoutingRuleRow> {
        let mut details = Vec::new();
        for (channel, values) in self.details {
            for (name, value) in values {
                let value = value
                    .detail()
                    .with_context(|| format!("detail {name} of {channel}"))?;
                details.push(RoutingDetailRow {
                    channel: channel.clone(),
                    name,
                    value,
                });
            }
        }
        Ok(RoutingRuleRow {
            rule: self.id,
            condition: self.condition,
            message: self.message,
            otherwise: self.otherwise.unwrap_or(no_route),
            details,
        })
    }
}

impl RoutingFileLimit {
    fn row(self, no_route: NoRouteAction) -> anyhow::Result<RoutingLimitRow> {
        let amount =
            |name: &str, value: Option<RoutingFileValue>| -> anyhow::Result<Option<Decimal>> {
                value
                    .map(RoutingFileValue::amount)
                    .transpose()
                    .with_context(|| name.to_owned())
            };
        Ok(RoutingLimitRow {
            scope: self.scope,
            key: self.key,
            channel: self.channel,
            currency: self.currency,
            single: amount("single", self.single)?,
            day: amount("day", self.day)?,
            month: amount("month", self.month)?,
            otherwise: self.otherwise.unwrap_or(no_route),
        })
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
