//! A public payout API in today's style: payouts under an idempotency key, amounts
//! in minor units, results by webhook (`paid | failed | returned`). The key is our
//! serial number, which the provider remembers for one date of `created`: that is
//! the order's stored trade time, always.

use crate::channels::adapter::{
    ChannelAdapter, ChannelCall, ChannelMessage, ChannelNotification, NotificationError, RawReply,
    SigningContext,
};
use crate::channels::answer::{ChannelAnswer, ChannelResult};
use crate::channels::psp_signature::{KEY_ID_HEADER, PSP_SIGNATURE_HEADER, key_id, verify};
use crate::channels::psp_wire::{
    PspErrorBody, PspPayout, PspPayoutRequest, PspRequestDestination, PspWebhook,
};
use crate::orders::Order;
use anyhow::{Context, ensure};
use reqwest::Method;
use reqwest::header::HeaderMap;
use sluice_contract::money::{minor_units, of_minor_units};
use sluice_contract::signing;

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

/// Channel of the payout API.
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
                headers.push(("content-type", "application/json".to_owned()));
                headers.push(("idempotency-key", serial_no.clone()));
                (
                    Method::POST,
                    "/v1/payouts".to_owned(),
                    payout_body(order, created)?,
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
        let mut result = result_of(event.data);
        // A webhook tells ends only, and its two words for one thing must agree.
        if !agree || result.answer == ChannelAnswer::Accepted {
            result.answer = ChannelAnswer::Unknown;
        }
        Ok(ChannelNotification { serial_no, result })
    }
}

/// Writes the request to pay, in whole minor units.
fn payout_body(order: &Order, created: &str) -> anyhow::Result<Vec<u8>> {
    let amount = minor_units(order.amount, order.currency).with_context(|| {
        format!(
            "{} {} is no whole number of minor units",
            order.amount, order.currency
        )
    })?;
    let payout = PspPayoutRequest {
        reference: &order.serial_no,
        amount,
        currency: order.currency.code(),
        destination: PspRequestDestination {
            account: &order.to_account,
            bank: order.bank.as_deref(),
        },
        created,
    };
    Ok(serde_json::to_vec(&payout)?)
}

/// Reads a 404. Only the provider's own, signed "no such payout" about our reference is one: a
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
