//! Bodies of the payout API.

use serde::{Deserialize, Serialize};
use sluice_contract::money::Currency;

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

/// A payout as the provider tells it. Unknown fields are its own affair.
#[derive(Deserialize)]
pub(super) struct PspPayout {
    pub reference: String,
    pub status: String,
    #[serde(default)]
    pub failure_code: Option<String>,
    pub amount: i64,
    pub currency: Currency,
    #[serde(default)]
    pub destination: Option<PspReplyDestination>,
}

#[derive(Deserialize)]
pub(super) struct PspReplyDestination {
    pub account: String,
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
    pub reference: String,
}
