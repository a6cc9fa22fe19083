//! A public payout API in today's style: payouts under an idempotency key, amounts
//! in minor units, results by webhook (`paid | failed | returned`). The key is our
//! serial number, which the provider remembers for one date of `created`: that is
//! the order's stored trade time, always.

use crate::channels::{
    ChannelAdapter, ChannelAnswer, ChannelCall, ChannelMessage, ChannelNotification, ChannelResult,
    NotificationError, RawReply, SigningContext, header,
};
use crate::orders::Order;
use anyhow::{Context, ensure};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};
use sluice_contract::money::{Currency, minor_units, of_minor_units};
use sluice_contract::settings::Secret;
use sluice_contract::signing::{self, SignatureError};

/// `t=<seconds since 1970>,v1=<hex HMAC-SHA256 over "t.body">`, both ways. What has
/// no body is signed by its path and query instead.
const PSP_SIGNATURE_HEADER: &str = "psp-signature";
/// Tells the provider which secret signed; not secret itself.
const KEY_ID_HEADER: &str = "psp-key-id";
/// Signatures looked at in one header: the provider has two secrets at most.
const MAX_SIGNATURES: usize = 4;

/// Failures after which the provider's documentation promises that nothing was and
/// nothing will be paid. Every other failure is unknown until a person has
/// confirmed it and it is listed here (seed 002 §3.3).
const DECLINED_CODES: &[&str] = &[
    "account_closed",
    "invalid_account",
    "account_blocked",
    "payee_refused",
];

/// As certain, but of this provider alone: another channel may pay.
const NOT_HERE_CODES: &[&str] = &["bank_not_supported"];

/// Proof of a payout's status, with its failure code.
const STATUS_ANSWERS: &[(&str, Option<&[&str]>, ChannelAnswer)] = &[
    ("pending", None, ChannelAnswer::Accepted),
    ("paid", None, ChannelAnswer::Succeeded),
    ("returned", None, ChannelAnswer::Returned),
    ("failed", Some(DECLINED_CODES), ChannelAnswer::Declined),
    ("failed", Some(NOT_HERE_CODES), ChannelAnswer::NotHere),
];

#[derive(Serialize)]
struct PspPayoutRequest<'a> {
    reference: &'a str,
    /// Minor units.
    amount: i64,
    currency: &'a str,
    destination: PspRequestDestination<'a>,
    created: &'a str,
}

#[derive(Serialize)]
struct PspRequestDestination<'a> {
    account: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bank: Option<&'a str>,
}

/// A payout as the provider tells it. Unknown fields are its own affair.
#[derive(Deserialize)]
struct PspPayout {
    reference: String,
    status: String,
    #[serde(default)]
    failure_code: Option<String>,
    amount: i64,
    currency: Currency,
    #[serde(default)]
    destination: Option<PspReplyDestination>,
}

#[derive(Deserialize)]
struct PspReplyDestination {
    account: String,
}

#[derive(Deserialize)]
struct PspWebhook {
    #[serde(rename = "type")]
    kind: String,
    data: PspPayout,
}

/// The body of a refusal.
#[derive(Deserialize)]
struct PspErrorBody {
    error: PspErrorDetail,
}

#[derive(Deserialize)]
struct PspErrorDetail {
    code: String,
    reference: String,
}

pub struct PspChannel;

impl ChannelAdapter for PspChannel {
    fn id(&self) -> &'static str {
        "psp"
    }

    fn message(
        &self,
        call: ChannelCall,
        order: &Order,
        seal: SigningContext<'_>,
    ) -> anyhow::Result<ChannelMessage> {
        let created = order
            .trade_time
            .as_deref()
            .context("the order has no trade time yet")?;
        let serial_no = &order.serial_no;
        let mut headers = vec![(KEY_ID_HEADER, key_id(seal.keys.current()))];
        let (method, path, body) = match call {
            ChannelCall::Pay => {
                let amount = minor_units(order.amount, order.currency).with_context(|| {
                    format!(
                        "{} {} is no whole number of minor units",
                        order.amount, order.currency
                    )
                })?;
                let payout = PspPayoutRequest {
                    reference: serial_no,
                    amount,
                    currency: order.currency.code(),
                    destination: PspRequestDestination {
                        account: &order.to_account,
                        bank: order.bank.as_deref(),
                    },
                    created,
                };
                headers.push(("content-type", "application/json".to_owned()));
                headers.push(("idempotency-key", serial_no.clone()));
                (
                    Method::POST,
                    "/v1/payouts".to_owned(),
                    serde_json::to_vec(&payout)?,
                )
            }
            ChannelCall::Query => {
                let date = created.get(..8).context("trade time without a date")?;
                (
                    Method::GET,
                    format!("/v1/payouts/by-reference/{serial_no}?date={date}"),
                    Vec::new(),
                )
            }
        };
        let signed = if body.is_empty() {
            path.as_bytes()
        } else {
            &body
        };
        let signature = signing::sign(seal.keys.current(), seal.now_s, signed);
        headers.push((
            PSP_SIGNATURE_HEADER,
            format!("t={},v1={signature}", seal.now_s),
        ));
        Ok(ChannelMessage {
            method,
            path,
            headers,
            body,
        })
    }

    fn read(
        &self,
        call: ChannelCall,
        order: &Order,
        reply: &RawReply,
        seal: SigningContext<'_>,
    ) -> anyhow::Result<ChannelResult> {
        // 409 and every other refusal says nothing of an earlier request.
        let listed = matches!(
            (call, reply.status),
            (ChannelCall::Pay, 200 | 201) | (ChannelCall::Query, 200 | 404)
        );
        ensure!(listed, "HTTP {}", reply.status);
        verify(&reply.headers, &reply.body, seal)?;
        if reply.status == 404 {
            return not_found(order, reply);
        }
        let payout: PspPayout =
            serde_json::from_slice(&reply.body).context("reply is not a payout")?;
        ensure!(
            payout.reference == order.serial_no,
            "reply is about another reference"
        );
        Ok(result_of(payout))
    }

    fn notified(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        seal: SigningContext<'_>,
    ) -> Result<ChannelNotification, NotificationError> {
        verify(headers, body, seal).map_err(|why| NotificationError::Signature {
            header: PSP_SIGNATURE_HEADER,
            why,
        })?;
        let event: PspWebhook =
            serde_json::from_slice(body).map_err(|e| NotificationError::Body(e.to_string()))?;
        let agree = event.kind.strip_prefix("payout.") == Some(event.data.status.as_str());
        let serial_no = event.data.reference.clone();
        let mut heard = result_of(event.data);
        // A webhook tells ends only, and its two words for one thing must agree.
        if !agree || heard.answer == ChannelAnswer::Accepted {
            heard.answer = ChannelAnswer::Unknown;
        }
        Ok(ChannelNotification { serial_no, heard })
    }
}

/// Only the provider's own, signed "no such payout" about our reference is one: a
/// 404 of anything between us is not.
fn not_found(order: &Order, reply: &RawReply) -> anyhow::Result<ChannelResult> {
    let refused: PspErrorBody =
        serde_json::from_slice(&reply.body).context("HTTP 404 without the agreed body")?;
    ensure!(
        refused.error.code == "payout_not_found",
        "HTTP 404, {}",
        refused.error.code
    );
    ensure!(
        refused.error.reference == order.serial_no,
        "reply is about another reference"
    );
    Ok(ChannelResult {
        answer: ChannelAnswer::NoSuchTrade,
        ..ChannelResult::unknown(&refused.error.code)
    })
}

fn result_of(payout: PspPayout) -> ChannelResult {
    let failure = payout.failure_code.as_deref();
    let fits = |codes: &Option<&[&str]>| match (codes, failure) {
        (None, None) => true,
        (Some(codes), Some(failure)) => codes.contains(&failure),
        (None, Some(_)) | (Some(_), None) => false,
    };
    let listed = STATUS_ANSWERS
        .iter()
        .find(|(status, codes, _)| *status == payout.status && fits(codes));
    ChannelResult {
        answer: listed.map_or(ChannelAnswer::Unknown, |(_, _, answer)| *answer),
        code: failure.map_or(payout.status.clone(), |code| {
            format!("{}:{code}", payout.status)
        }),
        amount: Some(of_minor_units(payout.amount, payout.currency)),
        currency: Some(payout.currency),
        to_account: payout.destination.map(|d| d.account),
    }
}

/// A name for a secret by which both sides know which one signed.
fn key_id(secret: &Secret) -> String {
    let mut id = signing::sign(secret, 0, b"key id");
    id.truncate(16);
    id
}

/// A header may carry several `v1`, while the provider changes its secret.
fn verify(
    headers: &HeaderMap,
    body: &[u8],
    seal: SigningContext<'_>,
) -> Result<(), SignatureError> {
    let text = header(headers, PSP_SIGNATURE_HEADER).ok_or(SignatureError::Malformed)?;
    let parts = || {
        text.split(',')
            .filter_map(|part| part.trim().split_once('='))
    };
    let time = parts()
        .find(|(name, _)| *name == "t")
        .map(|(_, value)| value);
    let mut result = Err(SignatureError::Malformed);
    for (_, signature) in parts()
        .filter(|(name, _)| *name == "v1")
        .take(MAX_SIGNATURES)
    {
        result = seal
            .keys
            .either(|secret| signing::verify(secret, seal.now_s, time, Some(signature), body));
        if result.is_ok() {
            break;
        }
    }
    result
}
