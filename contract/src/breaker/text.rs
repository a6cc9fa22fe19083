//! Several breakers of one verdict in one text: `refund+settlement/account/A-17`.

use crate::breaker::{BreakerKey, BreakerPoint};

/// Stands for every point.
const EVERY_POINT: &str = "*";

/// Writes the breakers of one verdict as one text; `None` if there are none. They differ
/// in their points only: scope and key are those of the first.
pub fn keys_text(keys: &[BreakerKey]) -> Option<String> {
    let first = keys.first()?;
    let points = if keys.len() == BreakerPoint::ALL.len() {
        EVERY_POINT.to_owned()
    } else {
        let names: Vec<&str> = keys.iter().map(|k| k.point.as_str()).collect();
        names.join("+")
    };
    Some(format!("{points}/{}/{}", first.scope.as_str(), first.key))
}

/// Lists every text of [`keys_text`] that names `key`, whatever the order of its points: for
/// a look-up by index.
pub fn texts_naming(key: &BreakerKey) -> Vec<String> {
    let at = |point: BreakerPoint| BreakerKey {
        point,
        ..key.clone()
    };
    let others = BreakerPoint::ALL.into_iter().filter(|p| *p != key.point);
    let pairs =
        others.flat_map(|other| [vec![key.clone(), at(other)], vec![at(other), key.clone()]]);
    let whole = [vec![key.clone()], BreakerPoint::ALL.map(at).to_vec()];
    let all = whole.into_iter().chain(pairs);
    all.filter_map(|keys| keys_text(&keys)).collect()
}

/// Reads what [`keys_text`] wrote. What is none of our texts names no breaker.
pub fn parse_keys_text(text: &str) -> Vec<BreakerKey> {
    let Some((points, rest)) = text.split_once('/') else {
        return Vec::new();
    };
    let points: Vec<&str> = if points == EVERY_POINT {
        BreakerPoint::ALL.map(BreakerPoint::as_str).to_vec()
    } else {
        points.split('+').collect()
    };
    points
        .iter()
        .filter_map(|point| format!("{point}/{rest}").parse().ok())
        .collect()
}
