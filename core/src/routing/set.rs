//! A configuration that was checked and can be asked. Checking is all or nothing:
//! every problem is named, and only a whole set is ever used.

use crate::orders::{Order, sample};
use crate::routing::conditions::{
    CHANNEL_VARIABLE, CONDITION_VARIABLES, CompiledCondition, ConditionDetail, ConditionDetails,
    ConditionEngine, local_of, named_windows,
};
use crate::routing::draft::{
    ANY_KEY, RoutingChannelRow, RoutingDetailValue, RoutingDraft, RoutingLimitRow, RoutingRuleRow,
};
use crate::routing::limits::RoutingLimits;
use crate::routing::{LimitScope, NoRouteAction, RoutingProblem};
use jiff::civil::DateTime;
use rust_decimal::Decimal;
use sluice_contract::ids::{MAX_ID_BYTES, is_plain};
use sluice_contract::money::{COLUMN_INTEGER_DIGITS, COLUMN_SCALE};
use sluice_contract::order::OrderKind;
use std::collections::{HashMap, HashSet};

/// More than these are no configuration but a mistake; a claim asks every rule.
const MAX_RULES: usize = 200;
const MAX_LIMITS: usize = 20_000;
const MAX_LIST_MEMBERS: usize = 100_000;
const MAX_CONDITION_BYTES: usize = 2_000;
const MAX_TEXT_CHARS: usize = 190;
const MAX_NAME_LEN: usize = 32;
const MAX_CHANNEL_ID_LEN: usize = 16;
const MAX_WEIGHT: i64 = 1_000;
/// A time at which samples are evaluated.
const SAMPLE_TIME: &str = "20261121120000";

/// One rule with its details filled in, per channel it applies to.
#[derive(Debug)]
pub struct RoutingRule {
    pub rule: String,
    pub message: String,
    pub otherwise: NoRouteAction,
    condition: CompiledCondition,
    details: HashMap<String, ConditionDetails>,
}

/// A whole configuration.
#[derive(Debug)]
pub struct RoutingSet {
    /// 0: nothing is configured.
    pub version: i64,
    pub no_route: NoRouteAction,
    /// By priority.
    pub channels: Vec<RoutingChannelRow>,
    pub rules: Vec<RoutingRule>,
    pub limits: RoutingLimits,
    conditions: ConditionEngine,
}

/// Why a rule does not let an order pass.
pub struct RuleRefusal {
    pub reason: String,
    pub otherwise: NoRouteAction,
}

impl RoutingSet {
    /// Without a configuration: the channels in the order of the settings file.
    pub fn unconfigured<'a>(channels: impl Iterator<Item = &'a str>) -> Self {
        let row = |(at, channel): (usize, &str)| RoutingChannelRow {
            channel: channel.to_owned(),
            priority: at as i64,
            weight: 1,
            paused: false,
            note: String::new(),
        };
        RoutingSet {
            version: 0,
            no_route: NoRouteAction::Wait,
            channels: channels.enumerate().map(row).collect(),
            rules: Vec::new(),
            limits: RoutingLimits::default(),
            conditions: ConditionEngine::default(),
        }
    }

    /// Checks a draft and makes it ready.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn of(version: i64, draft: &RoutingDraft) -> Result<Self, Vec<RoutingProblem>> {
        let mut problems = Vec::new();
        let conditions = ConditionEngine::default();
        check_channels(&draft.channels, &mut problems);
        let mut seen = HashSet::new();
        let mut rules = Vec::with_capacity(draft.rules.len());
        if draft.rules.len() > MAX_RULES {
            problems.push(RoutingProblem::new(
                "rule",
                format!("there are {}, at most {MAX_RULES}", draft.rules.len()),
            ));
        }
        for row in draft.rules.iter().take(MAX_RULES) {
            let place = format!("rule {}", row.rule);
            if !seen.insert(&row.rule) {
                problems.push(RoutingProblem::new(&place, "is there twice"));
            }
            match rule(row, &draft.channels, &conditions) {
                Ok(rule) => rules.push(rule),
                Err(all) => problems.extend(
                    all.into_iter()
                        .map(|what| RoutingProblem::new(&place, what)),
                ),
            }
        }
        check_limits(&draft.limits, &draft.channels, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut channels = draft.channels.clone();
        channels.sort_by_key(|c| c.priority);
        let limits = RoutingLimits::new(&draft.limits);
        Ok(RoutingSet {
            version,
            no_route: draft.no_route,
            channels,
            rules,
            limits,
            conditions,
        })
    }

    /// Asks one rule; `None` if it lets the order pass or isn't for this channel.
    pub fn refuses(
        &self,
        rule: &RoutingRule,
        order: &Order,
        channel: &str,
        local: DateTime,
    ) -> Option<RuleRefusal> {
        let details = rule.details.get(channel)?;
        match self
            .conditions
            .holds(&rule.condition, order, channel, local, details)
        {
            Ok(true) => None,
            Ok(false) => Some(RuleRefusal {
                reason: filled(rule, order, details),
                otherwise: rule.otherwise,
            }),
            // Nothing is known against the order: it waits for a mended rule.
            Err(error) => Some(RuleRefusal {
                reason: format!("can't be evaluated: {error}"),
                otherwise: NoRouteAction::Wait,
            }),
        }
    }
}

/// The rule's message with `{name}` filled by its details and the order.
fn filled(rule: &RoutingRule, order: &Order, details: &ConditionDetails) -> String {
    let mut text = rule.message.clone();
    if !text.contains('{') {
        return text;
    }
    for (name, detail) in details {
        text = text.replace(&format!("{{{name}}}"), &detail.shown());
    }
    let of_order = [
        ("amount", order.amount.normalize().to_string()),
        ("currency", order.currency.to_string()),
        ("account", order.account_id.clone()),
        ("to_account", order.to_account.clone()),
        ("bank", order.bank.clone().unwrap_or_default()),
    ];
    of_order.iter().fold(text, |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), value)
    })
}

fn check_channels(channels: &[RoutingChannelRow], problems: &mut Vec<RoutingProblem>) {
    if channels.is_empty() {
        problems.push(RoutingProblem::new(
            "channel",
            "at least one [[channel]] is needed",
        ));
    }
    let mut seen = HashSet::new();
    for c in channels {
        let mut wrong = |what: String| {
            problems.push(RoutingProblem::new(&format!("channel {}", c.channel), what))
        };
        if !is_plain(&c.channel, MAX_CHANNEL_ID_LEN) {
            wrong(format!(
                "id: 1 to {MAX_CHANNEL_ID_LEN} letters, digits and _ - . :"
            ));
        }
        if !seen.insert(&c.channel) {
            wrong("is there twice".into());
        }
        if !(0..=1_000).contains(&c.priority) {
            wrong(format!(
                "priority = {}: 0 to 1000, the lowest is tried first",
                c.priority
            ));
        }
        if !(1..=MAX_WEIGHT).contains(&c.weight) {
            wrong(format!(
                "weight = {}: 1 to {MAX_WEIGHT}; to use a channel no more, pause it",
                c.weight
            ));
        }
        if c.note.chars().count() > MAX_TEXT_CHARS {
            wrong(format!("note: at most {MAX_TEXT_CHARS} characters"));
        }
    }
}

/// Compiles a rule, fills it for every channel and tries it on a sample.
fn rule(
    row: &RoutingRuleRow,
    channels: &[RoutingChannelRow],
    conditions: &ConditionEngine,
) -> Result<RoutingRule, Vec<String>> {
    let mut wrong = Vec::new();
    check_texts(row, &mut wrong);
    let mut names: Vec<String> = row.details.iter().map(|d| d.name.clone()).collect();
    names.sort();
    names.dedup();
    for detail in &row.details {
        if detail.channel != ANY_KEY && !channels.iter().any(|c| c.channel == detail.channel) {
            wrong.push(format!(
                "details for {:?}: no such [[channel]]",
                detail.channel
            ));
        }
        check_detail(&detail.name, &detail.value, &mut wrong);
    }
    let condition = match conditions.compile(&row.condition, &names) {
        Ok(condition) => condition,
        Err(error) => {
            wrong.push(format!("condition: {error}"));
            return Err(wrong);
        }
    };
    let mut details = HashMap::new();
    for channel in channels.iter().map(|c| c.channel.as_str()) {
        let filled = fill(row, channel, &names);
        // Without any detail for it, a rule that needs some isn't for this channel.
        if filled.is_empty() && !names.is_empty() {
            continue;
        }
        if let Some(missing) = names
            .iter()
            .find(|n| !filled.iter().any(|(have, _)| have == *n))
        {
            wrong.push(format!(
                "channel {channel} has no detail {missing}, nor has \"*\""
            ));
            continue;
        }
        check_windows(&row.condition, &filled, &mut wrong);
        details.insert(channel.to_owned(), filled);
    }
    if wrong.is_empty() {
        try_out(&condition, &details, conditions, &mut wrong);
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let (rule, message) = (row.rule.clone(), row.message.clone());
    Ok(RoutingRule {
        rule,
        message,
        otherwise: row.otherwise,
        condition,
        details,
    })
}

fn check_texts(row: &RoutingRuleRow, wrong: &mut Vec<String>) {
    if !is_plain(&row.rule, MAX_NAME_LEN) {
        wrong.push(format!(
            "id: 1 to {MAX_NAME_LEN} letters, digits and _ - . :"
        ));
    }
    if row.condition.len() > MAX_CONDITION_BYTES {
        wrong.push(format!("condition: at most {MAX_CONDITION_BYTES} bytes"));
    }
    if row.message.is_empty() || row.message.chars().count() > MAX_TEXT_CHARS {
        wrong.push(format!(
            "message: 1 to {MAX_TEXT_CHARS} characters, what the order is told"
        ));
    }
}

fn check_detail(name: &str, value: &RoutingDetailValue, wrong: &mut Vec<String>) {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let starts = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    if !starts || name.len() > MAX_NAME_LEN || !name.bytes().all(plain) {
        wrong.push(format!(
            "detail {name:?}: a name has 1 to {MAX_NAME_LEN} of a-z 0-9 _ and begins with a letter"
        ));
    }
    if CONDITION_VARIABLES.contains(&name) || name == CHANNEL_VARIABLE {
        wrong.push(format!(
            "detail {name:?}: that is what the order itself is called by, choose another name"
        ));
    }
    let texts: &[String] = match value {
        RoutingDetailValue::Text(text) => std::slice::from_ref(text),
        RoutingDetailValue::List(list) => list,
        RoutingDetailValue::Number(_) => &[],
    };
    if texts.len() > MAX_LIST_MEMBERS {
        wrong.push(format!(
            "detail {name}: {} members, at most {MAX_LIST_MEMBERS}",
            texts.len()
        ));
    }
    if let Some(long) = texts.iter().find(|t| t.chars().count() > MAX_TEXT_CHARS) {
        let begin: String = long.chars().take(20).collect();
        wrong.push(format!(
            "detail {name}: {begin:?}… is longer than {MAX_TEXT_CHARS} characters"
        ));
    }
}

/// The details for a channel: its own before those of every channel.
fn fill(row: &RoutingRuleRow, channel: &str, names: &[String]) -> ConditionDetails {
    let of = |name: &String, channel: &str| {
        row.details
            .iter()
            .find(|d| d.name == *name && d.channel == channel)
    };
    let found = |name: &String| {
        Some((
            name.clone(),
            ConditionDetail::from(&of(name, channel).or_else(|| of(name, ANY_KEY))?.value),
        ))
    };
    names.iter().filter_map(found).collect()
}

fn check_windows(condition: &str, details: &ConditionDetails, wrong: &mut Vec<String>) {
    for name in named_windows(condition) {
        match details.iter().find(|(n, _)| n == name) {
            Some((_, ConditionDetail::List(list))) => {
                if let Err(error) = list.windows() {
                    wrong.push(format!("detail {name}: {error}"));
                }
            }
            _ => wrong.push(format!(
                "within({name}): needs a list of windows as a detail of that name"
            )),
        }
    }
}

/// A condition must answer true or false on samples of every kind.
fn try_out(
    condition: &CompiledCondition,
    details: &HashMap<String, ConditionDetails>,
    conditions: &ConditionEngine,
    wrong: &mut Vec<String>,
) {
    let Ok(local) = local_of(SAMPLE_TIME) else {
        return;
    };
    for (channel, details) in details {
        for kind in [OrderKind::CashOut, OrderKind::Refund] {
            if let Err(error) = conditions.holds(condition, &sample(kind), channel, local, details)
            {
                wrong.push(format!(
                    "condition, tried on a {} by {channel}: {error}",
                    kind.as_str()
                ));
                return;
            }
        }
    }
}

fn check_limits(
    limits: &[RoutingLimitRow],
    channels: &[RoutingChannelRow],
    problems: &mut Vec<RoutingProblem>,
) {
    if limits.len() > MAX_LIMITS {
        problems.push(RoutingProblem::new(
            "limit",
            format!("there are {}, at most {MAX_LIMITS}", limits.len()),
        ));
        return;
    }
    let known = |channel: &str| channel == ANY_KEY || channels.iter().any(|c| c.channel == channel);
    let mut seen = HashSet::new();
    for l in limits {
        let mut wrong = |what: String| problems.push(RoutingProblem::new(&l.place(), what));
        if !seen.insert((l.scope, &l.key, &l.channel, l.currency)) {
            wrong("is there twice".into());
        }
        if l.key != ANY_KEY && !is_plain(&l.key, MAX_ID_BYTES) {
            wrong(format!(
                "key: \"*\", or 1 to {MAX_ID_BYTES} letters, digits and _ - . :"
            ));
        }
        if !known(&l.channel) {
            wrong(format!("channel {:?}: no such [[channel]]", l.channel));
        }
        if l.scope == LimitScope::Channel && (l.channel != ANY_KEY || !known(&l.key)) {
            wrong("a channel's limit names the channel as its key, and that [[channel]] must be there".into());
        }
        let amounts = [("single", l.single), ("day", l.day), ("month", l.month)];
        if amounts.iter().all(|(_, a)| a.is_none()) {
            wrong("at least one of single, day and month is needed".into());
        }
        let most = Decimal::from(10u64.pow(COLUMN_INTEGER_DIGITS as u32));
        for (name, amount) in amounts {
            let fits = |a: Decimal| {
                a >= Decimal::ZERO && a < most && a.normalize().scale() <= COLUMN_SCALE
            };
            if amount.is_some_and(|a| !fits(a)) {
                wrong(format!("{name}: an amount from 0 to 9999999999999999.9999"));
            }
        }
    }
}
