use crate::breaker::{
    BreakerKey, BreakerPoint, BreakerScope, BreakerState, covering_keys, key_for, keys_text,
    parse_keys_text, widen,
};
use std::collections::HashSet;

const POINT: BreakerPoint = BreakerPoint::CashOut;

fn key(scope: BreakerScope, key: &str) -> BreakerKey {
    BreakerKey {
        point: POINT,
        scope,
        key: key.to_owned(),
    }
}

/// The order of the table: account A, currency CNY, channel C if it has one.
fn covers(breaker: &BreakerKey, channel: Option<&str>) -> bool {
    breaker.covers(POINT, "A", channel, "CNY")
}

#[test]
fn a_breaker_covers_the_orders_of_its_key() {
    // scope, key of this order, with a channel, without one.
    let table = [
        (BreakerScope::All, "*", true, true),
        (BreakerScope::Channel, "C", true, false),
        (BreakerScope::Merchant, "A", true, true),
        (BreakerScope::Account, "A", true, true),
        (BreakerScope::Currency, "CNY", true, true),
    ];
    assert_eq!(table.map(|(scope, ..)| scope), BreakerScope::ALL);
    for (scope, own, with, without) in table {
        let breaker = key(scope, own);
        assert_eq!(covers(&breaker, Some("C")), with, "{breaker}");
        assert_eq!(covers(&breaker, None), without, "{breaker}");
        let elsewhere = BreakerKey {
            point: BreakerPoint::Refund,
            ..breaker
        };
        assert!(!covers(&elsewhere, Some("C")), "{elsewhere}");

        let other = key(scope, "B");
        let everybody = scope == BreakerScope::All;
        assert_eq!(covers(&other, Some("C")), everybody, "{other}");
        assert_eq!(covers(&other, None), everybody, "{other}");
    }
}

#[test]
fn the_listed_keys_are_those_that_cover() {
    for channel in [None, Some("C")] {
        let listed: HashSet<BreakerKey> = covering_keys(POINT, "A", channel, "CNY").collect();
        for scope in BreakerScope::ALL {
            for name in ["*", "A", "B", "C", "CNY", "USD"] {
                let breaker = key(scope, name);
                // A row `all/B` covers too, but nobody makes one.
                let made = scope != BreakerScope::All || name == "*";
                let agreed = listed.contains(&breaker) == (covers(&breaker, channel) && made);
                assert!(agreed, "{breaker} with {channel:?}");
            }
        }
    }
}

#[test]
fn every_scope_widens_to_everybody() {
    for scope in BreakerScope::ALL {
        assert_eq!(widen(&key(scope, "A")), BreakerKey::all(POINT));
    }
    let refund = BreakerKey::all(BreakerPoint::Refund);
    assert_eq!(widen(&refund), refund);
}

#[test]
fn a_finding_stops_its_account_or_everybody() {
    for scope in BreakerScope::ALL {
        let narrow = scope == BreakerScope::Account;
        let expected = if narrow { "account/A" } else { "all/*" };
        let found = key_for(POINT, scope, "A").to_string();
        assert_eq!(found, format!("cash_out/{expected}"));
        assert_eq!(key_for(POINT, scope, ""), BreakerKey::all(POINT));
    }
}

#[test]
fn scopes_are_told_apart() {
    // scope, declarable, narrow, channel-bound.
    let table = [
        (BreakerScope::All, true, false, false),
        (BreakerScope::Channel, false, false, true),
        (BreakerScope::Merchant, false, true, false),
        (BreakerScope::Account, true, true, false),
        (BreakerScope::Currency, false, false, false),
    ];
    for (scope, declarable, narrow, channel_bound) in table {
        let said = (
            scope.is_declarable(),
            scope.is_narrow(),
            scope.is_channel_bound(),
        );
        assert_eq!(said, (declarable, narrow, channel_bound), "{scope:?}");
    }
}

#[test]
fn names_are_read_back() {
    for point in BreakerPoint::ALL {
        assert_eq!(point.as_str().parse::<BreakerPoint>().unwrap(), point);
    }
    for scope in BreakerScope::ALL {
        assert_eq!(scope.as_str().parse::<BreakerScope>().unwrap(), scope);
    }
    assert_eq!(BreakerState::ALL.map(|s| s.as_str()), ["closed", "open"]);
    for text in ["cash_out/account/a/b", "refund/all/*", "cash_out/channel/C"] {
        assert_eq!(text.parse::<BreakerKey>().unwrap().to_string(), text);
    }
}

#[test]
fn a_key_fits_its_column_and_its_scope() {
    let new = |scope, text: &str| BreakerKey::new(POINT, scope, text);
    assert!(new(BreakerScope::All, "*").is_ok());
    assert!(new(BreakerScope::Account, &"A".repeat(32)).is_ok());
    let refused = [
        (BreakerScope::All, "A"),
        (BreakerScope::Account, "*"),
        (BreakerScope::Account, ""),
        (BreakerScope::Account, "账户"),
        (BreakerScope::Account, "123456789012345678901234567890123"),
    ];
    for (scope, text) in refused {
        assert!(new(scope, text).is_err(), "{scope:?} {text}");
    }
}

#[test]
fn one_text_names_several_breakers() {
    assert_eq!(keys_text(&[]), None);
    let all: Vec<BreakerKey> = BreakerPoint::ALL.map(BreakerKey::all).to_vec();
    let two = ["refund/account/a/b", "cash_out/account/a/b"].map(|k| k.parse().unwrap());
    let table = [
        (all.as_slice(), "*/all/*"),
        (&all[..1], "refund/all/*"),
        (two.as_slice(), "refund+cash_out/account/a/b"),
    ];
    for (keys, text) in table {
        assert_eq!(keys_text(keys).as_deref(), Some(text));
        assert_eq!(parse_keys_text(text), keys);
    }
}

#[test]
fn a_stored_name_stands_for_its_breakers() {
    let keys = |text| {
        let keys = parse_keys_text(text);
        keys.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        keys("refund+cash_out/account/a/b"),
        ["refund/account/a/b", "cash_out/account/a/b"]
    );
    assert_eq!(keys("*/all/*").len(), 3);
    assert!(keys("").is_empty() && keys("x/y/z").is_empty());
}
