//! Cases files as people write them.
//!
//! ```toml
//! [[case]]
//! name = "a request for 100 is booked as 1"
//! [[case.step]]
//! event = { type = "withdraw.requested", account_id = "A-1", biz_no = "W-1", amount = "100.00" }
//! [[case.step]]
//! transaction = "0-1-7"            # its position; made up if empty
//! signed = true                    # adds the core's outbox row
//! [[case.step.row]]
//! table = "orders"
//! op = "insert"
//! after = { account_id = "A-1", biz_no = "W-1", amount = "1.00", currency = "CNY" }
//! [[case.step]]
//! watermark = { binlog = 2500 }    # milliseconds
//! [[case.expect]]
//! at = 2500                        # the latest watermark when it must come
//! account = "A-1"
//! message = "100"
//! [[case.step]]
//! audit = { of = "books", account_id = "A-1", currency = "CNY", rows = 1, balance = "5" }
//! [[case.breaker]]
//! at = 2500
//! key = "cash_out/account/A-1"
//! state = "open"
//! ```
//! Columns left out are NULL (in an audit: zero, or an empty text); of an update,
//! `before` lists only what differs.

use crate::rules::testing::written_event::{WrittenEvent, WrittenWatermark};
use crate::rules::testing::written_fact::WrittenFact;
use crate::rules::testing::written_row::WrittenRow;
use crate::rules::text::one_or_many::OneOrMany;
use serde::Deserialize;

/// The cases of one rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CasesFile {
    pub case: Vec<RuleCase>,
}

/// One case: steps, and the findings and breakers that they must lead to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleCase {
    pub name: String,
    pub step: Vec<CaseStep>,
    #[serde(default)]
    pub expect: Vec<ExpectedFinding>,
    #[serde(default)]
    pub breaker: Vec<ExpectedBreaker>,
}

/// The state that a breaker must have at a time, in milliseconds by the case's watermarks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedBreaker {
    pub at: i64,
    pub key: String,
    pub state: ExpectedBreakerState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExpectedBreakerState {
    Open,
    Closed,
}

/// A finding that must come. A field that is left out may be anything.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedFinding {
    /// When it comes, in milliseconds by the latest watermark so far.
    pub at: Option<i64>,
    pub account: Option<String>,
    pub item: Option<String>,
    /// Part of the message.
    pub message: Option<String>,
    /// The money at stake, exactly as the rule writes it.
    pub amount: Option<String>,
    pub breaker: Option<OneOrMany>,
    /// The rule is expected to be unable to decide.
    #[serde(default)]
    pub undetermined: bool,
}

/// One step: exactly one of `transaction`, `event`, `watermark` and `audit`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseStep {
    pub(super) transaction: Option<String>,
    #[serde(default)]
    pub(super) signed: bool,
    #[serde(default)]
    pub(super) row: Vec<WrittenRow>,
    pub(super) event: Option<WrittenEvent>,
    pub(super) watermark: Option<WrittenWatermark>,
    pub(super) audit: Option<WrittenFact>,
}
