//! Whatever is taken and given back in whatever order, the totals are the sums.

use super::*;
use crate::orders::Order;
use crate::orders::sample;
use crate::routing::Route;
use crate::routing::limits::{LimitTimes, LimitUsage, keys};
use proptest::prelude::*;
use sluice_contract::order::OrderKind;

fn order(account: u8, user: u8, client: u8) -> Order {
    let mut order = sample(OrderKind::CashOut);
    order.currency = "CNY".parse().unwrap();
    order.account_id = format!("A{account}");
    order.user_id = (user > 0).then(|| format!("U{user}"));
    order.client = format!("C{client}");
    order
}

/// One order's life: who, when, how much, and whether it came back.
type OrderLife = (u8, u8, u8, bool, u8, i64, bool);

/// A database of totals as several instances use it: a batch locks what it wants,
/// works in memory, and writes what it touched.
#[derive(Default)]
struct StoredTotals(BTreeMap<LimitTotalKey, LimitTotal>);

impl StoredTotals {
    fn lock(&self, wanted: BTreeSet<LimitTotalKey>) -> LimitTotals {
        let rows = wanted
            .iter()
            .filter_map(|k| self.0.get(k).cloned())
            .collect();
        LimitTotals::new(wanted, rows)
    }

    fn write(&mut self, totals: LimitTotals) {
        for total in totals.touched() {
            assert_eq!(
                total.version,
                self.0.get(&total.at).map_or(0, |t| t.version) + 1,
                "written twice"
            );
            self.0.insert(total.at.clone(), total);
        }
    }
}

/// One time for platform and channel.
fn same(time: &str) -> LimitTimes<'_> {
    LimitTimes {
        platform: time,
        trade: time,
    }
}

fn place(life: &OrderLife) -> (Vec<LimitTotalKey>, Decimal) {
    let (account, user, client, second, day, cents, _) = life;
    let channel = if *second { "unionpay" } else { "netsunion" };
    let time = format!("202611{day:02}120000");
    (
        keys(&order(*account, *user, *client), channel, same(&time)),
        Decimal::new(*cents, 2),
    )
}

fn sums(
    lives: &[OrderLife],
    counted: impl Fn(&OrderLife) -> bool,
) -> BTreeMap<LimitTotalKey, Decimal> {
    let mut sums = BTreeMap::new();
    for life in lives.iter().filter(|l| counted(l)) {
        let (keys, amount) = place(life);
        for key in keys {
            *sums.entry(key).or_insert(Decimal::ZERO) += amount;
        }
    }
    sums
}

proptest! {
    #[test]
    fn any_interleaving_equals_the_plain_sum(
        lives in prop::collection::vec((0u8..3, 0u8..3, 0u8..2, any::<bool>(), 1u8..4, 1i64..1_000_000, any::<bool>()), 1..60),
        batch in 1usize..9,
        turn in 1usize..7,
    ) {
        let mut stored = StoredTotals::default();
        // Takes come in batches; what comes back does so some batches later, mixed
        // into other transactions.
        let mut back: Vec<&OrderLife> = Vec::new();
        for (n, some) in lives.chunks(batch).enumerate() {
            let wanted = some.iter().flat_map(|l| place(l).0).collect();
            let mut totals = stored.lock(wanted);
            for life in some {
                let (keys, amount) = place(life);
                totals.take(&keys, amount).unwrap();
            }
            stored.write(totals);
            back.extend(some.iter().filter(|l| l.6));
            if n % turn == 0 {
                give(&mut stored, &mut back);
            }
        }
        give(&mut stored, &mut back);
        let want = sums(&lives, |l| !l.6);
        for (key, total) in &stored.0 {
            prop_assert_eq!(total.amount, want.get(key).copied().unwrap_or(Decimal::ZERO));
        }
        prop_assert!(want.keys().all(|k| stored.0.contains_key(k)));
    }
}

fn give(stored: &mut StoredTotals, back: &mut Vec<&OrderLife>) {
    let wanted = back.iter().flat_map(|l| place(l).0).collect();
    let mut totals = stored.lock(wanted);
    for life in back.drain(..) {
        let (keys, amount) = place(life);
        assert!(totals.give_back(&keys, amount).is_empty());
    }
    stored.write(totals);
}

#[test]
fn what_was_never_taken_is_not_given_back_and_nothing_is_clamped() {
    let keys = keys(&order(1, 1, 1), "netsunion", same("20261121120000"));
    assert_eq!(keys.len(), 8);
    let wanted: BTreeSet<_> = keys.iter().cloned().collect();
    let mut totals = LimitTotals::new(wanted.clone(), Vec::new());
    totals.take(&keys, Decimal::TEN).unwrap();
    assert_eq!(totals.give_back(&keys, Decimal::from(11)).len(), 8);
    assert!(
        keys.iter().all(|k| totals.of(k) == Some(Decimal::TEN)),
        "half of it was given back"
    );
    let few = LimitTotals::new(keys[..3].iter().cloned().collect(), Vec::new());
    assert!(matches!(
        few.fits(&keys, Decimal::ONE),
        Err(LimitTotalsError::NotLocked(_))
    ));
    assert!(matches!(
        totals.take(&keys, MAX_TOTAL),
        Err(LimitTotalsError::TooLarge(_))
    ));
    assert_eq!(MAX_TOTAL.to_string(), "99999999999999999999.9999");
}

#[test]
fn nothing_is_counted_on_a_total_that_no_core_wrote() {
    let keys = keys(&order(1, 1, 1), "netsunion", same("20261121120000"));
    let forged = LimitTotal {
        at: keys[0].clone(),
        amount: Decimal::TEN,
        version: 3,
        is_believed: false,
    };
    let mut totals = LimitTotals::new(keys.iter().cloned().collect(), vec![forged]);
    assert!(matches!(
        totals.take(&keys, Decimal::ONE),
        Err(LimitTotalsError::Unsigned(_))
    ));
    let short = totals.give_back(&keys[..1], Decimal::ONE);
    assert_eq!(short, [keys[0].label()]);
    assert!(totals.touched().is_empty(), "it must not become genuine");
}

#[test]
fn only_an_order_with_a_chosen_route_has_taken_anything() {
    let mut order = order(1, 0, 1);
    (order.channel, order.trade_time) = (Some("unionpay".into()), Some("20261121120000".into()));
    assert_eq!(LimitUsage::of(&order), None);
    let mut route = Route {
        version: 1,
        ..Route::default()
    };
    order.route = Some(serde_json::to_string(&route).unwrap());
    assert_eq!(LimitUsage::of(&order), None);
    route.chosen = Some("unionpay".into());
    order.route = Some(serde_json::to_string(&route).unwrap());
    assert_eq!(LimitUsage::of(&order).unwrap().keys.len(), 6);
}

#[test]
fn a_day_is_the_platforms_but_for_the_channels_own() {
    let times = LimitTimes {
        platform: "20261122010000",
        trade: "20261121180000",
    };
    for key in keys(&order(1, 1, 1), "psp", times) {
        let day = match key.scope {
            crate::routing::LimitScope::Channel => "20261121",
            _ => "20261122",
        };
        assert!(day.starts_with(&key.period), "{key:?}");
    }
}

#[test]
fn usage_is_given_back_to_the_day_that_it_was_taken_of() {
    let mut order = order(1, 1, 1);
    (order.channel, order.trade_time) = (Some("psp".into()), Some("20261121180000".into()));
    let mut route = Route {
        version: 1,
        chosen: Some("psp".into()),
        day: Some("20261122".into()),
        ..Route::default()
    };
    let days = |route: &Route, order: &mut Order| -> BTreeSet<String> {
        order.route = Some(serde_json::to_string(route).unwrap());
        let usage = LimitUsage::of(order).unwrap();
        let days = usage.keys.into_iter().map(|k| k.period);
        days.filter(|p| p.len() == 8).collect()
    };
    let both = BTreeSet::from(["20261121".to_owned(), "20261122".to_owned()]);
    assert_eq!(days(&route, &mut order), both);
    route.day = None;
    let trade = BTreeSet::from(["20261121".to_owned()]);
    assert_eq!(days(&route, &mut order), trade, "claimed by an older build");
}
