//! The name of one breaker.

use crate::breaker::{BreakerPoint, BreakerScope};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Key of every breaker of scope `all`, and of no other.
pub const ALL_KEY: &str = "*";
/// Width of `guard.breaker.scope_key`, an ASCII column.
pub const MAX_SCOPE_KEY_BYTES: usize = 32;

/// One breaker: `cash_out/account/A-17`. The key of scope `all` is `*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BreakerKey {
    pub point: BreakerPoint,
    pub scope: BreakerScope,
    pub key: String,
}

impl BreakerKey {
    /// Names a breaker that somebody asks for.
    ///
    /// # Errors
    /// If the key is longer than its column or not ASCII, or if only one of scope and
    /// key says "all".
    pub fn new(point: BreakerPoint, scope: BreakerScope, key: &str) -> anyhow::Result<BreakerKey> {
        let named = BreakerKey {
            point,
            scope,
            key: key.to_owned(),
        };
        if key.is_empty() || !named.is_storable() {
            anyhow::bail!(
                "a breaker's key has at most {MAX_SCOPE_KEY_BYTES} ASCII characters, and at least one"
            );
        }
        if (scope == BreakerScope::All) != (key == ALL_KEY) {
            anyhow::bail!("scope all has the key {ALL_KEY}, and no other scope has it");
        }
        Ok(named)
    }

    /// The breaker that stops everybody at this point.
    pub fn all(point: BreakerPoint) -> BreakerKey {
        BreakerKey {
            point,
            scope: BreakerScope::All,
            key: ALL_KEY.to_owned(),
        }
    }

    /// Names the breaker of a row, as it is stored: the key is not checked, since a
    /// breaker that stands in the table stops what it covers whoever put it there.
    ///
    /// # Errors
    /// If point or scope is none that this version knows.
    pub fn from_row(point: &str, scope: &str, key: String) -> anyhow::Result<BreakerKey> {
        Ok(BreakerKey {
            point: point.parse()?,
            scope: scope.parse()?,
            key,
        })
    }

    /// The key fits its column. No order can carry one that does not, so there is
    /// nothing to stop under it.
    pub fn is_storable(&self) -> bool {
        self.key.is_ascii() && self.key.len() <= MAX_SCOPE_KEY_BYTES
    }
}

impl fmt::Display for BreakerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (point, scope) = (self.point.as_str(), self.scope.as_str());
        write!(f, "{point}/{scope}/{}", self.key)
    }
}

impl FromStr for BreakerKey {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let mut parts = text.splitn(3, '/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(point), Some(scope), Some(key)) if !key.is_empty() => {
                BreakerKey::new(point.parse()?, scope.parse()?, key)
            }
            _ => anyhow::bail!(
                "a breaker is written point/scope/key, as in cash_out/account/A-17, not {text:?}"
            ),
        }
    }
}
