//! The channel that takes an order, and what the others are said to have against it.

use super::order::in_order;
use super::*;
use crate::config::ChannelDecimals;
use crate::orders::Order;
use crate::orders::sample;
use crate::routing::RoutingSet;
use crate::routing::configuration::file::parse;
use crate::routing::limits::{LimitTimes, LimitTotal, LimitTotals, keys};
use rust_decimal::Decimal;
use sluice_contract::order::OrderKind;
use std::sync::Arc;

const TRADE_TIME: &str = "20261121120000";
const TIMES: LimitTimes<'_> = LimitTimes {
    platform: TRADE_TIME,
    trade: TRADE_TIME,
};

const TWO_CHANNELS_TOML: &str = r#"
[[channel]]
id = "netsunion"
priority = 1
[[channel]]
id = "unionpay"
priority = 2
"#;

pub(super) fn order(cents: i64) -> Order {
    let mut order = sample(OrderKind::CashOut);
    (order.amount, order.currency) = (Decimal::new(cents, 2), "CNY".parse().unwrap());
    order
}

/// Decimals that the channel documents.
fn decimals(id: &str) -> Arc<ChannelDecimals> {
    let decimals = ChannelDecimals::new(id.parse().unwrap(), &Default::default(), None);
    Arc::new(decimals.unwrap())
}

fn here(breaker: Option<&str>) -> Vec<ChannelStatus> {
    let open = breaker.map(|channel| (format!("cash_out/channel/{channel}"), "drill".to_owned()));
    let of = |id: &str| {
        ChannelStatus::new(
            id,
            TRADE_TIME,
            TRADE_TIME,
            open.clone().filter(|(b, _)| b.ends_with(id)),
            decimals(id),
        )
        .unwrap()
    };
    vec![of("netsunion"), of("unionpay")]
}

/// Totals in which account A-1 has sent 900 CNY today and 2,900 this month.
fn totals(order: &Order) -> LimitTotals {
    let wanted: std::collections::BTreeSet<_> = ["netsunion", "unionpay"]
        .iter()
        .flat_map(|c| keys(order, c, TIMES))
        .collect();
    let stored = wanted
        .iter()
        .filter(|k| k.key == "A-1")
        .map(|k| LimitTotal {
            at: k.clone(),
            amount: Decimal::from(if k.period.len() == 8 { 900 } else { 2_900 }),
            version: 3,
            is_believed: true,
        });
    let stored = stored.collect();
    LimitTotals::new(wanted, stored)
}

pub(super) fn decide(more: &str, order: &Order, breaker: Option<&str>) -> RouteDecision {
    let (draft, _) = parse(&format!("{TWO_CHANNELS_TOML}{more}")).unwrap();
    let set = RoutingSet::of(7, &draft).unwrap();
    choose(&set, order, &here(breaker), &totals(order))
}

/// `chosen|channel by|…`, or `fails` and `waits` where nobody takes it.
pub(super) fn outcome_of(decision: &RouteDecision) -> String {
    let none = if decision.fails { "fails" } else { "waits" };
    let mut text = decision
        .route
        .chosen
        .clone()
        .unwrap_or_else(|| none.to_owned());
    for r in &decision.route.rejected {
        text.push_str(&format!("|{} {}", r.channel, r.by));
    }
    text
}

#[test]
fn pause_breaker_and_wish() {
    let pause = TWO_CHANNELS_TOML.replace(
        "priority = 1",
        "priority = 1\npaused = true\nnote = \"line works\"",
    );
    let set = RoutingSet::of(7, &parse(&pause).unwrap().0).unwrap();
    let mut order = order(100);
    let decide = |set: &RoutingSet, order: &Order, breaker| {
        outcome_of(&choose(set, order, &here(breaker), &totals(order)))
    };
    assert_eq!(decide(&set, &order, None), "unionpay|netsunion pause");
    let both = "waits|netsunion pause|unionpay breaker cash_out/channel/unionpay";
    assert_eq!(decide(&set, &order, Some("unionpay")), both);
    order.channel = Some("netsunion".into());
    assert_eq!(decide(&set, &order, None), "waits|netsunion pause");
    order.channel = Some("elsewhere".into());
    assert_eq!(decide(&set, &order, None), "waits|elsewhere configuration");
    let failing = RoutingSet::of(
        8,
        &parse(&format!("no_route = \"fail\"\n{TWO_CHANNELS_TOML}"))
            .unwrap()
            .0,
    )
    .unwrap();
    assert_eq!(
        decide(&failing, &order, None),
        "fails|elsewhere configuration"
    );
    // A channel that this core has not got is no candidate, and no reason to fail.
    order.channel = None;
    assert_eq!(
        outcome_of(&choose(&failing, &order, &[], &totals(&order))),
        "waits|netsunion configuration|unionpay configuration"
    );
}

#[test]
fn without_a_configuration_the_settings_order_holds() {
    let set = RoutingSet::unconfigured(["unionpay", "netsunion"].into_iter());
    let (mut order, totals) = (order(100), totals(&order(100)));
    assert_eq!(
        outcome_of(&choose(&set, &order, &here(None), &totals)),
        "unionpay"
    );
    order.channel = Some("netsunion".into());
    let decision = choose(&set, &order, &here(None), &totals);
    assert_eq!(
        (outcome_of(&decision).as_str(), decision.route.version),
        ("netsunion", 0)
    );
}

#[test]
fn equals_share_by_weight_and_the_same_order_always_draws_the_same() {
    let text = TWO_CHANNELS_TOML.replace("priority = 2", "priority = 1\nweight = 3");
    let set = RoutingSet::of(1, &parse(&text).unwrap().0).unwrap();
    let mut order = order(100);
    let mut second = 0;
    for n in 0..2_000 {
        order.order_id = format!("{n:032x}");
        let drawn = in_order(&set, &order.order_id);
        assert_eq!(drawn, in_order(&set, &order.order_id));
        assert_eq!(drawn.len(), 2);
        second += usize::from(set.channels[drawn[0]].channel == "unionpay");
    }
    assert!(
        (1_400..=1_600).contains(&second),
        "{second} of 2000 drew the channel of weight 3 of 4"
    );
}

#[test]
fn reasons_name_the_figures() {
    let more = "[[rule]]\nid = \"r\"\ncondition = 'amount <= most'\nmessage = \"{amount} {currency} is above {most}\"\n\
                details.\"*\" = { most = { number = \"1.50\" } }\n[[limit]]\nscope = \"account\"\ncurrency = \"CNY\"\nday = 1000\n";
    let decision = decide(more, &order(20_000), None);
    assert_eq!(decision.route.rejected[0].reason, "200 CNY is above 1.5");
    let limit = decide(&more.replace("1.50", "900"), &order(20_000), None);
    assert_eq!(
        limit.route.rejected[0].reason,
        "900 of 1000 CNY are taken in 20261121, 200 more is too much"
    );
    // Another figure in the reason is nothing new to write down.
    let stored = serde_json::to_string(&limit.route).unwrap();
    let again = decide(&more.replace("1.50", "900"), &order(30_000), None);
    assert!(again.route.repeats(Some(&stored)) && !decision.route.repeats(Some(&stored)));
}

#[test]
fn a_channel_takes_only_amounts_that_its_decimals_can_tell() {
    let text = TWO_CHANNELS_TOML.replace("unionpay", "psp");
    let set = RoutingSet::of(7, &parse(&text).unwrap().0).unwrap();
    let here = ["netsunion", "psp"]
        .map(|id| ChannelStatus::new(id, TRADE_TIME, TRADE_TIME, None, decimals(id)).unwrap());
    for (amount, currency, want) in [
        // Neither ISO's: the network knows no ISK, the API counts hundredths.
        ("2000", "ISK", "psp|netsunion decimals"),
        ("50000.00", "IDR", "psp|netsunion decimals"),
        ("1000", "CLP", "psp|netsunion decimals"),
        ("100.00", "TWD", "psp|netsunion decimals"),
        ("100.50", "TWD", "waits|netsunion decimals|psp decimals"),
        ("1", "VND", "waits|netsunion decimals|psp decimals"),
        ("700", "JPY", "netsunion"),
        ("1.005", "KWD", "netsunion"),
    ] {
        let mut order = order(100);
        order.amount = Decimal::from_str_exact(amount).unwrap();
        order.currency = currency.parse().unwrap();
        let times = LimitTimes {
            platform: TRADE_TIME,
            trade: TRADE_TIME,
        };
        let wanted = ["netsunion", "psp"].map(|id| keys(&order, id, times));
        let totals = LimitTotals::new(wanted.into_iter().flatten().collect(), Vec::new());
        let decision = choose(&set, &order, &here, &totals);
        assert_eq!(outcome_of(&decision), want, "{amount} {currency}");
        let named = |r: &crate::routing::RejectedChannel| {
            r.reason.contains(&r.channel) && r.reason.contains(currency)
        };
        assert!(decision.route.rejected.iter().all(named), "{decision:?}");
    }
}
