//! The header of a rule file: `//! ` lines that together are TOML.

use crate::rules::text::params::{self, RuleBudget, RuleParams};
use crate::rules::text::tables::{self, CATALOG_TABLES, CatalogTable};
use crate::rules::text::trigger_header::{OneOrMany, PairSide, RowOp, Trigger};
use serde::Deserialize;
use sluice_contract::breaker::{BreakerPoint, BreakerScope};
use sluice_contract::event::BUSINESS_EVENTS;
use std::collections::BTreeMap;

/// The five kinds of loss (seed 003).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossKind {
    WrongOutput,
    UpstreamDownstream,
    Duplicate,
    InternalLogic,
    ManualFix,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleSeverity {
    Minor,
    Major,
    Critical,
}

/// How far a rule's word goes: `draft` is evaluated in cases only, `shadow` is
/// recorded, `alert` pages somebody, `trip` opens a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleMode {
    Draft,
    Shadow,
    Alert,
    Trip,
}

impl RuleMode {
    pub fn as_str(self) -> &'static str {
        match self {
            RuleMode::Draft => "draft",
            RuleMode::Shadow => "shadow",
            RuleMode::Alert => "alert",
            RuleMode::Trip => "trip",
        }
    }
}

/// What a rule file says about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleHeader {
    pub id: String,
    /// One sentence: what this rule holds true.
    pub guards: String,
    pub kind: LossKind,
    pub severity: RuleSeverity,
    pub mode: RuleMode,
    /// What a violation stops: one breaker or several, as damaged money may leave by
    /// more than one point. Scope is `all` or `account`: a finding names an account,
    /// nothing else.
    pub breakers: Vec<(BreakerPoint, BreakerScope)>,
    pub owner: String,
    pub runbook: String,
    pub trigger: Trigger,
    /// Most findings an hour that its owner expects of it; more is a sign of a bad rule.
    pub rate_per_hour: Option<u32>,
    pub budget: RuleBudget,
    /// What the rule asks for with `param("name")`.
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

/// Reads and checks the header of `text`. The error names the field.
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
    let declared = written.breaker.iter().flat_map(|b| b.all());
    let breakers = declared
        .map(|b| parse_breaker(b))
        .collect::<Result<Vec<_>, _>>()?;
    if breakers
        .iter()
        .enumerate()
        .any(|(at, b)| breakers[..at].contains(b))
    {
        return Err("breaker names one of its breakers twice".to_owned());
    }
    if breakers.iter().any(|(_, scope)| *scope != breakers[0].1) {
        return Err("breaker: all of a rule's breakers have the same scope".to_owned());
    }
    if written.mode == RuleMode::Trip && breakers.is_empty() {
        return Err("mode = \"trip\" needs breaker, such as \"cash_out/account\"".to_owned());
    }
    check_trigger(&written.trigger)?;
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

fn parse_breaker(text: &str) -> Result<(BreakerPoint, BreakerScope), String> {
    let (point, scope) = text.split_once('/').ok_or_else(|| {
        format!("breaker = {text:?} must be point/scope, such as \"cash_out/account\"")
    })?;
    let point = point
        .parse()
        .map_err(|e| format!("breaker = {text:?}: {e}"))?;
    let scope: BreakerScope = scope
        .parse()
        .map_err(|e| format!("breaker = {text:?}: {e}"))?;
    if !matches!(scope, BreakerScope::All | BreakerScope::Account) {
        return Err(format!(
            "breaker = {text:?}: a finding names an account, so the scope must be account or all"
        ));
    }
    Ok((point, scope))
}

fn check_trigger(trigger: &Trigger) -> Result<(), String> {
    match trigger {
        Trigger::Row {
            table,
            ops,
            changed,
            only,
        } => {
            let known = known_table("trigger.table", table)?;
            check_ops(ops, true)?;
            check_columns("trigger.changed", known, changed.iter())?;
            check_columns("trigger.where", known, only.keys())
        }
        Trigger::Transaction { tables } => {
            if tables.is_empty() {
                return Err("trigger.tables is empty".to_owned());
            }
            tables
                .iter()
                .try_for_each(|t| known_table("trigger.tables", t).map(drop))
        }
        Trigger::Event { event } => check_event("trigger.event", event),
        Trigger::Audit { .. } => Ok(()),
        Trigger::Window {
            table,
            ops,
            key,
            span_ms,
            keep,
            only,
            first: _,
        } => {
            let known = known_table("trigger.table", table)?;
            check_ops(ops, false)?;
            if key.is_empty() {
                return Err("trigger.key is empty".to_owned());
            }
            check_positive("trigger.span_ms", *span_ms)?;
            check_columns("trigger.key", known, key.iter())?;
            check_columns("trigger.keep", known, std::iter::once(keep))?;
            check_columns("trigger.where", known, only.keys())
        }
        Trigger::Pair {
            left,
            right,
            within_ms,
            keep_ms,
            delay_ms,
            ..
        } => {
            check_positive("trigger.within_ms", *within_ms)?;
            check_positive("trigger.keep_ms", *keep_ms)?;
            if delay_ms > within_ms {
                return Err(format!(
                    "trigger.delay_ms = {delay_ms} is longer than within_ms = {within_ms}"
                ));
            }
            check_side("trigger.left", left)?;
            check_side("trigger.right", right)?;
            match (left.key.all().len(), right.key.all().len()) {
                (0, _) => Err("trigger.left.key is empty".to_owned()),
                (left, right) if left != right => {
                    Err("trigger.right.key needs as many parts as the left one".to_owned())
                }
                _ => Ok(()),
            }
        }
    }
}

fn check_side(field: &str, side: &PairSide) -> Result<(), String> {
    match (&side.table, side.op, &side.event) {
        (Some(table), Some(op), None) => {
            let known = known_table(&format!("{field}.table"), table)?;
            if op == RowOp::Delete {
                return Err(format!(
                    "{field}.op must be insert or update: a deleted row can't meet anything"
                ));
            }
            check_columns(&format!("{field}.key"), known, side.key.all().iter())?;
            check_columns(&format!("{field}.where"), known, side.only.keys())
        }
        (None, None, Some(event)) => {
            check_event(&format!("{field}.event"), event)?;
            if let Some(key) = side
                .key
                .all()
                .iter()
                .find(|k| !matches!(k.as_str(), "biz_no" | "account_id" | "id"))
            {
                return Err(format!(
                    "{field}.key = {key:?}: an event's keys are biz_no, account_id, id"
                ));
            }
            if !side.only.is_empty() {
                return Err(format!("{field}.where is for tables only"));
            }
            Ok(())
        }
        _ => Err(format!("{field} needs either table and op, or event")),
    }
}

fn check_ops(ops: &[RowOp], delete_allowed: bool) -> Result<(), String> {
    if ops.is_empty() {
        return Err("trigger.ops is empty: list some of insert, update, delete".to_owned());
    }
    if !delete_allowed && ops.contains(&RowOp::Delete) {
        return Err(
            "trigger.ops: a window keeps values of after-images, so it can't watch delete"
                .to_owned(),
        );
    }
    Ok(())
}

fn check_positive(field: &str, number: u32) -> Result<(), String> {
    if number == 0 {
        Err(format!("{field} must be greater than zero"))
    } else {
        Ok(())
    }
}

fn check_event(field: &str, event: &str) -> Result<(), String> {
    if BUSINESS_EVENTS.contains(&event) {
        return Ok(());
    }
    Err(format!(
        "{field} = {event:?} is not an event here: {}",
        BUSINESS_EVENTS.join(", ")
    ))
}

fn known_table(field: &str, name: &str) -> Result<&'static CatalogTable, String> {
    let at = tables::find(name);
    at.map(|at| &CATALOG_TABLES[at]).ok_or_else(|| {
        format!(
            "{field} = {name:?} is not a watched table: {}",
            tables::names()
        )
    })
}

fn check_columns<'a>(
    field: &str,
    known: &CatalogTable,
    mut columns: impl Iterator<Item = &'a String>,
) -> Result<(), String> {
    match columns.find(|c| known.column(c).is_none()) {
        None => Ok(()),
        Some(c) => Err(format!(
            "{field} = {c:?} is not a column of {}: {}",
            known.name,
            known.column_names()
        )),
    }
}
