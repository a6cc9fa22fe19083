//! Checks of a configuration's channels and limits.

use crate::routing::rows::{ANY_KEY, RoutingChannelRow, RoutingLimitRow};
use crate::routing::{LimitScope, RoutingProblem};
use rust_decimal::Decimal;
use sluice_contract::ids::{MAX_ID_BYTES, is_plain};
use sluice_contract::money::{COLUMN_INTEGER_DIGITS, COLUMN_SCALE};
use std::collections::HashSet;

/// More than these are no configuration but a mistake.
const MAX_LIMITS: usize = 20_000;
const MAX_NOTE_CHARS: usize = 190;
const MAX_CHANNEL_ID_LEN: usize = 16;
const MAX_WEIGHT: i64 = 1_000;

pub(super) fn check_channels(channels: &[RoutingChannelRow], problems: &mut Vec<RoutingProblem>) {
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
        if c.note.chars().count() > MAX_NOTE_CHARS {
            wrong(format!("note: at most {MAX_NOTE_CHARS} characters"));
        }
    }
}

pub(super) fn check_limits(
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
        let beyond = Decimal::from(10u64.pow(COLUMN_INTEGER_DIGITS as u32));
        for (name, amount) in amounts {
            let fits = |a: Decimal| {
                a >= Decimal::ZERO && a < beyond && a.normalize().scale() <= COLUMN_SCALE
            };
            if amount.is_some_and(|a| !fits(a)) {
                wrong(format!("{name}: an amount from 0 to 9999999999999999.9999"));
            }
        }
    }
}
