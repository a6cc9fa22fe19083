//! The header's `breaker`: points and scopes that a violation stops.

use crate::rules::text::one_or_many::OneOrMany;
use sluice_contract::breaker::{BreakerPoint, BreakerScope};

/// Reads `breaker`. None is named twice, and all have the same scope.
pub fn parse_breakers(
    written: Option<&OneOrMany>,
) -> Result<Vec<(BreakerPoint, BreakerScope)>, String> {
    let declared = written.iter().flat_map(|b| b.all());
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
    Ok(breakers)
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
    if !scope.is_declarable() {
        return Err(format!(
            "breaker = {text:?}: a finding names an account, so the scope must be account or all"
        ));
    }
    Ok((point, scope))
}
