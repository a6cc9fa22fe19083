//! A configuration that was checked and can be asked. Checking is all or nothing:
//! every problem is named, and only a whole set is ever used.

use super::conditions::{
    CHANNEL, Condition, Conditions, Detail, Details, VARIABLES, local_of, named_windows,
};
use super::draft::{ANY, ChannelRow, DetailValue, Draft, LimitRow, RuleRow};
use super::limits::Limits;
use super::{Otherwise, Problem, Scope};
use crate::orders::Order;
use jiff::civil::DateTime;
use rust_decimal::Decimal;
use sluice_contract::ids::{MAX_ID, is_plain};
use sluice_contract::money::{COLUMN_INTEGER_DIGITS, COLUMN_SCALE};
use sluice_contract::order::{Kind, State};
use std::collections::{HashMap, HashSet};

/// More than these are no configuration but a mistake; a claim asks every rule.
const MOST_RULES: usize = 200;
const MOST_LIMITS: usize = 20_000;
const MOST_MEMBERS: usize = 100_000;
const LONGEST_CONDITION: usize = 2_000;
const LONGEST_TEXT: usize = 190;
const LONGEST_NAME: usize = 32;
const LONGEST_CHANNEL: usize = 16;
const MOST_WEIGHT: i64 = 1_000;
/// A time at which samples are evaluated.
const SAMPLE_TIME: &str = "20261121120000";

/// One rule with its details filled in, per channel it applies to.
#[derive(Debug)]
pub struct Rule {
    pub rule: String,
    pub message: String,
    pub otherwise: Otherwise,
    condition: Condition,
    details: HashMap<String, Details>,
}

/// A whole configuration.
#[derive(Debug)]
pub struct Set {
    /// 0: nothing is configured.
    pub version: i64,
    pub no_route: Otherwise,
    /// By priority.
    pub channels: Vec<ChannelRow>,
    pub rules: Vec<Rule>,
    pub limits: Limits,
    conditions: Conditions,
}

/// Why a rule does not let an order pass.
pub struct Refused {
    pub reason: String,
    pub otherwise: Otherwise,
}

impl Set {
    /// Without a configuration: the channels in the order of the settings file.
    pub fn unconfigured<'a>(channels: impl Iterator<Item = &'a str>) -> Self {
        let row = |(at, channel): (usize, &str)| ChannelRow {
            channel: channel.to_owned(),
            priority: at as i64,
            weight: 1,
            paused: false,
            note: String::new(),
        };
        Set {
            version: 0,
            no_route: Otherwise::Wait,
            channels: channels.enumerate().map(row).collect(),
            rules: Vec::new(),
            limits: Limits::default(),
            conditions: Conditions::default(),
        }
    }

    /// Checks a draft and makes it ready.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn of(version: i64, draft: &Draft) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let conditions = Conditions::default();
        check_channels(&draft.channels, &mut problems);
        let mut seen = HashSet::new();
        let mut rules = Vec::with_capacity(draft.rules.len());
        if draft.rules.len() > MOST_RULES {
            problems.push(Problem::new(
                "rule",
                format!("there are {}, at most {MOST_RULES}", draft.rules.len()),
            ));
        }
        for row in draft.rules.iter().take(MOST_RULES) {
            let place = format!("rule {}", row.rule);
            if !seen.insert(&row.rule) {
                problems.push(Problem::new(&place, "is there twice"));
            }
            match rule(row, &draft.channels, &conditions) {
                Ok(rule) => rules.push(rule),
                Err(all) => problems.extend(all.into_iter().map(|what| Problem::new(&place, what))),
            }
        }
        check_limits(&draft.limits, &draft.channels, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut channels = draft.channels.clone();
        channels.sort_by_key(|c| c.priority);
        let limits = Limits::new(&draft.limits);
        Ok(Set {
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
        rule: &Rule,
        order: &Order,
        channel: &str,
        local: DateTime,
    ) -> Option<Refused> {
        let details = rule.details.get(channel)?;
        match self
            .conditions
            .holds(&rule.condition, order, channel, local, details)
        {
            Ok(true) => None,
            Ok(false) => Some(Refused {
                reason: filled(rule, order, details),
                otherwise: rule.otherwise,
            }),
            // Nothing is known against the order: it waits for a mended rule.
            Err(error) => Some(Refused {
                reason: format!("can't be evaluated: {error}"),
                otherwise: Otherwise::Wait,
            }),
        }
    }
}

/// The rule's message with `{name}` filled by its details and the order.
fn filled(rule: &Rule, order: &Order, details: &Details) -> String {
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

fn check_channels(channels: &[ChannelRow], problems: &mut Vec<Problem>) {
    if channels.is_empty() {
        problems.push(Problem::new(
            "channel",
            "at least one [[channel]] is needed",
        ));
    }
    let mut seen = HashSet::new();
    for c in channels {
        let mut wrong =
            |what: String| problems.push(Problem::new(&format!("channel {}", c.channel), what));
        if !is_plain(&c.channel, LONGEST_CHANNEL) {
            wrong(format!(
                "id: 1 to {LONGEST_CHANNEL} letters, digits and _ - . :"
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
        if !(1..=MOST_WEIGHT).contains(&c.weight) {
            wrong(format!(
                "weight = {}: 1 to {MOST_WEIGHT}; to use a channel no more, pause it",
                c.weight
            ));
        }
        if c.note.chars().count() > LONGEST_TEXT {
            wrong(format!("note: at most {LONGEST_TEXT} characters"));
        }
    }
}

/// Compiles a rule, fills it for every channel and tries it on a sample.
fn rule(
    row: &RuleRow,
    channels: &[ChannelRow],
    conditions: &Conditions,
) -> Result<Rule, Vec<String>> {
    let mut wrong = Vec::new();
    check_texts(row, &mut wrong);
    let mut names: Vec<String> = row.details.iter().map(|d| d.name.clone()).collect();
    names.sort();
    names.dedup();
    for detail in &row.details {
        if detail.channel != ANY && !channels.iter().any(|c| c.channel == detail.channel) {
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
    Ok(Rule {
        rule,
        message,
        otherwise: row.otherwise,
        condition,
        details,
    })
}

fn check_texts(row: &RuleRow, wrong: &mut Vec<String>) {
    if !is_plain(&row.rule, LONGEST_NAME) {
        wrong.push(format!(
            "id: 1 to {LONGEST_NAME} letters, digits and _ - . :"
        ));
    }
    if row.condition.len() > LONGEST_CONDITION {
        wrong.push(format!("condition: at most {LONGEST_CONDITION} bytes"));
    }
    if row.message.is_empty() || row.message.chars().count() > LONGEST_TEXT {
        wrong.push(format!(
            "message: 1 to {LONGEST_TEXT} characters, what the order is told"
        ));
    }
}

fn check_detail(name: &str, value: &DetailValue, wrong: &mut Vec<String>) {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let starts = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    if !starts || name.len() > LONGEST_NAME || !name.bytes().all(plain) {
        wrong.push(format!(
            "detail {name:?}: a name has 1 to {LONGEST_NAME} of a-z 0-9 _ and begins with a letter"
        ));
    }
    if VARIABLES.contains(&name) || name == CHANNEL {
        wrong.push(format!(
            "detail {name:?}: that is what the order itself is called by, choose another name"
        ));
    }
    let texts: &[String] = match value {
        DetailValue::Text(text) => std::slice::from_ref(text),
        DetailValue::List(list) => list,
        DetailValue::Number(_) => &[],
    };
    if texts.len() > MOST_MEMBERS {
        wrong.push(format!(
            "detail {name}: {} members, at most {MOST_MEMBERS}",
            texts.len()
        ));
    }
    if let Some(long) = texts.iter().find(|t| t.chars().count() > LONGEST_TEXT) {
        let begin: String = long.chars().take(20).collect();
        wrong.push(format!(
            "detail {name}: {begin:?}… is longer than {LONGEST_TEXT} characters"
        ));
    }
}

/// The details for a channel: its own before those of every channel.
fn fill(row: &RuleRow, channel: &str, names: &[String]) -> Details {
    let of = |name: &String, channel: &str| {
        row.details
            .iter()
            .find(|d| d.name == *name && d.channel == channel)
    };
    let found = |name: &String| {
        Some((
            name.clone(),
            Detail::from(&of(name, channel).or_else(|| of(name, ANY))?.value),
        ))
    };
    names.iter().filter_map(found).collect()
}

fn check_windows(condition: &str, details: &Details, wrong: &mut Vec<String>) {
    for name in named_windows(condition) {
        match details.iter().find(|(n, _)| n == name) {
            Some((_, Detail::List(list))) => {
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
    condition: &Condition,
    details: &HashMap<String, Details>,
    conditions: &Conditions,
    wrong: &mut Vec<String>,
) {
    let Ok(local) = local_of(SAMPLE_TIME) else {
        return;
    };
    for (channel, details) in details {
        for kind in [Kind::CashOut, Kind::Refund] {
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

/// An order that conditions are tried on.
pub(super) fn sample(kind: Kind) -> Order {
    Order {
        account_id: "A-1".into(),
        order_id: "0".repeat(32),
        kind,
        client: "local".into(),
        transaction_id: "t-1".into(),
        biz_no: None,
        user_id: Some("user-1".into()),
        to_account: "payee-1".into(),
        bank: Some("ICBC".into()),
        payment_no: None,
        amount: Decimal::ONE,
        currency: sluice_contract::money::Currency::LOWEST,
        state: State::Init,
        channel: None,
        serial_no: "0".repeat(32),
        trade_time: None,
        route: None,
        attempts: 0,
        queries: 0,
        sends: 0,
        notified_version: 0,
        notified_us: 0,
        notify_count: 0,
        acknowledged_us: None,
        has_open_case: false,
        result_code: None,
        version: 1,
        due_us: None,
        created_us: 0,
        updated_us: 0,
    }
}

fn check_limits(limits: &[LimitRow], channels: &[ChannelRow], problems: &mut Vec<Problem>) {
    if limits.len() > MOST_LIMITS {
        problems.push(Problem::new(
            "limit",
            format!("there are {}, at most {MOST_LIMITS}", limits.len()),
        ));
        return;
    }
    let known = |channel: &str| channel == ANY || channels.iter().any(|c| c.channel == channel);
    let mut seen = HashSet::new();
    for l in limits {
        let mut wrong = |what: String| problems.push(Problem::new(&l.place(), what));
        if !seen.insert((l.scope, &l.key, &l.channel, l.currency)) {
            wrong("is there twice".into());
        }
        if l.key != ANY && !is_plain(&l.key, MAX_ID) {
            wrong(format!(
                "key: \"*\", or 1 to {MAX_ID} letters, digits and _ - . :"
            ));
        }
        if !known(&l.channel) {
            wrong(format!("channel {:?}: no such [[channel]]", l.channel));
        }
        if l.scope == Scope::Channel && (l.channel != ANY || !known(&l.key)) {
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
