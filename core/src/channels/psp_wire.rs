//! Bodies of the payout API.

use serde::{Deserialize, Serialize};

#[derive(Serialize)]
pub(super) struct PspPayoutRequest<'a> {
    pub reference: &'a str,
    /// Minor units.
    pub amount: i64,
    pub currency: &'a str,
    pub destination: PspRequestDestination<'a>,
    pub created: &'a str,
}

#[derive(Serialize)]
pub(super) struct PspRequestDestination<'a> {
    pub account: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bank: Option<&'a str>,
}

/// A payout as the provider tells it. Unknown fields are its own affair; one that is
/// missing is seen when the payout is compared with the order.
#[derive(Deserialize)]
pub(super) struct PspPayout {
    pub reference: Option<String>,
    pub status: String,
    #[serde(default)]
    pub failure_code: Option<String>,
    /// Minor units, by the provider's own decimals.
    pub amount: Option<i64>,
    pub currency: Option<String>,
    #[serde(default)]
    pub destination: Option<PspReplyDestination>,
    /// The time that the request named: the payout's date is its first eight digits.
    pub created: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct PspReplyDestination {
    pub account: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct PspWebhook {
    #[serde(rename = "type")]
    pub kind: String,
    pub data: PspPayout,
}

/// The body of a refusal.
#[derive(Deserialize)]
pub(super) struct PspErrorBody {
    pub error: PspErrorDetail,
}

#[derive(Deserialize)]
pub(super) struct PspErrorDetail {
    pub code: String,
    pub reference: Option<String>,
}
