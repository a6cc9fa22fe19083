//! Compilation of rule files into a rule set: all of them or none.

pub mod blind_rules;
pub mod build;
pub mod method_names;
pub mod names;
pub mod params_used;
pub mod plan;
pub mod property_names;
pub mod restart_margin;
pub mod rule;
pub mod suggestions;
pub mod variables;

use crate::rules::text::header::{self, RuleHeader};

/// Most rules in a set: about 20 KiB each. A rule costs something only on the tables
/// and events that it watches.
pub const MAX_RULES: usize = 10_000;

/// Reads and checks the header of `text`, the file `stem`. The error names the field.
pub fn parse_header(stem: &str, text: &str) -> Result<RuleHeader, String> {
    let header = header::parse(stem, text)?;
    header.trigger.kind().check()?;
    Ok(header)
}
