//! The header of a rule file: `//! ` lines that together are TOML.

use crate::rules::text::breaker_field::parse_breakers;
use crate::rules::text::one_or_many::OneOrMany;
use crate::rules::text::params::{self, RuleBudget, RuleParams};
use crate::rules::text::rule_mode::RuleMode;
use crate::rules::text::trigger_header::Trigger;
use serde::Deserialize;
use sluice_contract::breaker::{BreakerPoint, BreakerScope};
use sluice_contract::string_enum;
use std::collections::BTreeMap;

string_enum! {
    /// The five kinds of loss (seed 003).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum LossKind("a kind of loss") {
        WrongOutput = "wrong_output",
        UpstreamDownstream = "upstream_downstream",
        Duplicate = "duplicate",
        InternalLogic = "internal_logic",
        ManualFix = "manual_fix",
    }
}

string_enum! {
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub enum RuleSeverity("a rule's severity") {
        Minor = "minor",
        Major = "major",
        Critical = "critical",
    }
}

/// The header of a rule: all that the file says about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleHeader {
    pub id: String,
    /// One sentence: what this rule holds true.
    pub guards: String,
    pub kind: LossKind,
    pub severity: RuleSeverity,
    pub mode: RuleMode,
    /// Breakers that a violation opens: one or several, as damaged money may leave by
    /// more than one point. Scope is `all` or `account`: a finding names an account,
    /// nothing else.
    pub breakers: Vec<(BreakerPoint, BreakerScope)>,
    pub owner: String,
    pub runbook: String,
    pub trigger: Trigger,
    /// Most findings an hour that its owner expects of it; more is a sign of a bad rule.
    pub rate_per_hour: Option<u32>,
    pub budget: RuleBudget,
    /// Parameters that the rule asks for with `param("name")`.
    pub params: RuleParams,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderToml {
    id: String,
    guards: String,
    kind: LossKind,
    severity: RuleSeverity,
    mode: RuleMode,
    breaker: Option<OneOrMany>,
    owner: String,
    runbook: String,
    trigger: Trigger,
    rate_per_hour: Option<u32>,
    #[serde(default)]
    budget: RuleBudget,
    #[serde(default)]
    params: BTreeMap<String, toml::Value>,
}

/// Reads the header of `text`, all but its trigger's fields checked (`compile::parse_header`
/// checks those too). The error names the field.
pub fn parse(stem: &str, text: &str) -> Result<RuleHeader, String> {
    let lines = text.lines().map_while(|l| l.strip_prefix("//!"));
    let header: String = lines
        .map(|l| format!("{}\n", l.strip_prefix(' ').unwrap_or(l)))
        .collect();
    if header.is_empty() {
        return Err(
            "there is no header: the file must begin with `//! ` lines of TOML (id, guards, …)"
                .to_owned(),
        );
    }
    let written: HeaderToml =
        toml::from_str(&header).map_err(|e| format!("header: {}", e.to_string().trim_end()))?;
    if written.id != stem {
        return Err(format!(
            "id = {:?} is not the file's name {stem:?}",
            written.id
        ));
    }
    for (field, text) in [
        ("guards", &written.guards),
        ("owner", &written.owner),
        ("runbook", &written.runbook),
    ] {
        if text.trim().is_empty() {
            return Err(format!("{field} is empty"));
        }
    }
    let breakers = parse_breakers(written.breaker.as_ref())?;
    if written.mode == RuleMode::Trip && breakers.is_empty() {
        return Err("mode = \"trip\" needs breaker, such as \"cash_out/account\"".to_owned());
    }
    written.budget.check()?;
    Ok(RuleHeader {
        params: params::parse(written.params)?,
        rate_per_hour: written.rate_per_hour,
        budget: written.budget,
        id: written.id,
        guards: written.guards,
        kind: written.kind,
        severity: written.severity,
        mode: written.mode,
        breakers,
        owner: written.owner,
        runbook: written.runbook,
        trigger: written.trigger,
    })
}
