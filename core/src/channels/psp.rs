//! A public payout API in today's style: payouts under an idempotency key, amounts
//! in minor units, results by webhook (`paid | failed | returned`). The key is our
//! serial number, which the provider remembers for one date of `created`: that is
//! the order's stored trade time, always.

use crate::channels::adapter::{
    ChannelAdapter, ChannelCall, ChannelMessage, ChannelNotification, NotificationError, RawReply,
    SigningContext,
};
use crate::channels::answer::{ChannelAnswer, ChannelResult};
use crate::channels::echo::{Echo, EchoedPayment};
use crate::channels::psp_signature::{
    KEY_ID_HEADER, PSP_SIGNATURE_HEADER, nonce_of, signature, verify,
};
use crate::channels::psp_wire::{
    PspErrorBody, PspPayout, PspPayoutRequest, PspRequestDestination, PspWebhook,
};
use crate::config::ChannelDecimals;
use crate::orders::Order;
use anyhow::{Context, ensure};
use reqwest::Method;
use reqwest::header::HeaderMap;
use sluice_contract::signing::{MessageDirection, MessageScope, callback_path, key_id};
use std::sync::Arc;

const ID: &str = "psp";

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
pub struct PspChannel {
    pub decimals: Arc<ChannelDecimals>,
}

impl PspChannel {
    /// Writes the request to pay, in whole minor units.
    fn payout_body(&self, order: &Order, created: &str) -> anyhow::Result<Vec<u8>> {
        let payout = PspPayoutRequest {
            reference: &order.serial_no,
            amount: self.decimals.units(order.amount, order.currency)?,
            currency: order.currency.code(),
            destination: PspRequestDestination {
                account: &order.to_account,
                bank: order.bank.as_deref(),
            },
            created,
        };
        Ok(serde_json::to_vec(&payout)?)
    }

    fn result_of(&self, payout: PspPayout) -> ChannelResult {
        let failure = payout.failure_code.as_deref();
        let fits = |codes: &Option<&[&str]>| match (codes, failure) {
            (None, None) => true,
            (Some(codes), Some(failure)) => codes.contains(&failure),
            (None, Some(_)) | (Some(_), None) => false,
        };
        let listed = STATUS_ANSWERS
            .iter()
            .find(|(status, codes, _)| *status == payout.status && fits(codes));
        let currency = payout.currency.as_deref();
        // Read by the table that it was written by. In a currency that this provider isn't
        // known for, nothing can be said of it.
        let amount = payout
            .amount
            .zip(currency.and_then(|code| code.parse().ok()))
            .and_then(|(units, currency)| self.decimals.amount_of(units, currency));
        ChannelResult {
            answer: listed.map_or(ChannelAnswer::Unknown, |(_, _, answer)| *answer),
            code: failure.map_or(payout.status.clone(), |code| {
                format!("{}:{code}", payout.status)
            }),
            echo: EchoedPayment {
                serial_no: Echo::required(payout.reference),
                trade_time: Echo::required(payout.created),
                currency: Echo::required(payout.currency),
                amount: Echo::required(amount),
                to_account: Echo::required(payout.destination.and_then(|d| d.account)),
            },
        }
    }
}

impl ChannelAdapter for PspChannel {
    fn id(&self) -> &'static str {
        ID
    }

    fn message(
        &self,
        call: ChannelCall,
        order: &Order,
        nonce: &str,
        seal: SigningContext<'_>,
    ) -> anyhow::Result<ChannelMessage> {
        let created = trade_time(order)?;
        let mut headers = vec![(KEY_ID_HEADER, key_id(seal.keys.current()))];
        let (method, body) = match call {
            ChannelCall::Pay => {
                headers.push(("content-type", "application/json".to_owned()));
                headers.push(("idempotency-key", order.serial_no.clone()));
                (Method::POST, self.payout_body(order, created)?)
            }
            ChannelCall::Query => (Method::GET, Vec::new()),
        };
        let path = path(call, order)?;
        let scope = MessageScope {
            direction: call.direction(),
            channel: ID,
            path: &path,
            nonce,
        };
        headers.push((PSP_SIGNATURE_HEADER, signature(scope, &body, seal)));
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
        nonce: &str,
        reply: &RawReply,
        seal: SigningContext<'_>,
    ) -> anyhow::Result<ChannelResult> {
        // 409 and every other refusal says nothing of an earlier request.
        let listed = matches!(
            (call, reply.status),
            (ChannelCall::Pay, 200 | 201) | (ChannelCall::Query, 200 | 404)
        );
        ensure!(listed, "HTTP {}", reply.status);
        let scope = MessageScope {
            direction: MessageDirection::Reply,
            channel: ID,
            path: &path(call, order)?,
            nonce,
        };
        verify(scope, &reply.headers, &reply.body, seal)?;
        if reply.status == 404 {
            return not_found(reply);
        }
        let payout: PspPayout =
            serde_json::from_slice(&reply.body).context("reply is not a payout")?;
        Ok(self.result_of(payout))
    }

    fn notified(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        seal: SigningContext<'_>,
    ) -> Result<ChannelNotification, NotificationError> {
        let scope = MessageScope {
            direction: MessageDirection::Callback,
            channel: ID,
            path: &callback_path(ID),
            nonce: nonce_of(headers),
        };
        verify(scope, headers, body, seal).map_err(|why| NotificationError::Signature {
            header: PSP_SIGNATURE_HEADER,
            why,
        })?;
        let event: PspWebhook =
            serde_json::from_slice(body).map_err(|e| NotificationError::Body(e.to_string()))?;
        let agree = event.kind.strip_prefix("payout.") == Some(event.data.status.as_str());
        let mut result = self.result_of(event.data);
        // A webhook tells ends only, and its two words for one thing must agree.
        if !agree || result.answer == ChannelAnswer::Accepted {
            result.answer = ChannelAnswer::Unknown;
        }
        ChannelNotification::of(result, "reference")
    }
}

fn trade_time(order: &Order) -> anyhow::Result<&str> {
    let time = order.trade_time.as_deref();
    time.context("the order has no trade time yet")
}

/// Path of a call, below the base URL.
fn path(call: ChannelCall, order: &Order) -> anyhow::Result<String> {
    Ok(match call {
        ChannelCall::Pay => "/v1/payouts".to_owned(),
        ChannelCall::Query => {
            let serial_no = &order.serial_no;
            let date = trade_time(order)?.get(..8);
            let date = date.context("trade time without a date")?;
            format!("/v1/payouts/by-reference/{serial_no}?date={date}")
        }
    })
}

/// Reads a 404. Only the provider's own, signed "no such payout" is one: a 404 of anything
/// between us is not.
fn not_found(reply: &RawReply) -> anyhow::Result<ChannelResult> {
    let refused: PspErrorBody =
        serde_json::from_slice(&reply.body).context("HTTP 404 without the agreed body")?;
    ensure!(
        refused.error.code == "payout_not_found",
        "HTTP 404, {}",
        refused.error.code
    );
    Ok(ChannelResult {
        answer: ChannelAnswer::NoSuchTrade,
        code: refused.error.code,
        echo: EchoedPayment {
            serial_no: Echo::required(refused.error.reference),
            ..EchoedPayment::default()
        },
    })
}
