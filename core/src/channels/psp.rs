//! A public payout API in today's style: payouts under an idempotency key, amounts
//! in minor units, results by webhook (`paid | failed | returned`). The key is our
//! serial number, which the provider remembers for one date of `created`: that is
//! the order's stored trade time, always.

use super::{Adaptor, Answer, Call, Heard, Message, Notified, NotifyError, Reply, Seal, header};
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
const SIGNATURE: &str = "psp-signature";
/// Tells the provider which secret signed; not secret itself.
const KEY_ID: &str = "psp-key-id";
/// Signatures looked at in one header: the provider has two secrets at most.
const MOST_SIGNATURES: usize = 4;

/// Failures after which the provider's documentation promises that nothing was and
/// nothing will be paid. Every other failure is unknown until a person has
/// confirmed it and it is listed here (seed 002 §3.3).
const TERMINAL: &[&str] = &[
    "account_closed",
    "invalid_account",
    "account_blocked",
    "payee_refused",
];

/// As certain, but of this provider alone: another channel may pay.
const NOT_HERE: &[&str] = &["bank_not_supported"];

/// What a payout's status proves, with its failure code.
const STATUSES: &[(&str, Option<&[&str]>, Answer)] = &[
    ("pending", None, Answer::Accepted),
    ("paid", None, Answer::Succeeded),
    ("returned", None, Answer::Returned),
    ("failed", Some(TERMINAL), Answer::Declined),
    ("failed", Some(NOT_HERE), Answer::NotHere),
];

#[derive(Serialize)]
struct NewPayout<'a> {
    reference: &'a str,
    /// Minor units.
    amount: i64,
    currency: &'a str,
    destination: NewDestination<'a>,
    created: &'a str,
}

#[derive(Serialize)]
struct NewDestination<'a> {
    account: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bank: Option<&'a str>,
}

/// A payout as the provider tells it. Unknown fields are its own affair.
#[derive(Deserialize)]
struct Payout {
    reference: String,
    status: String,
    #[serde(default)]
    failure_code: Option<String>,
    amount: i64,
    currency: Currency,
    #[serde(default)]
    destination: Option<Destination>,
}

#[derive(Deserialize)]
struct Destination {
    account: String,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    data: Payout,
}

/// The body of a refusal.
#[derive(Deserialize)]
struct Refused {
    error: Reason,
}

#[derive(Deserialize)]
struct Reason {
    code: String,
    reference: String,
}

pub struct Psp;

impl Adaptor for Psp {
    fn id(&self) -> &'static str {
        "psp"
    }

    fn message(&self, call: Call, order: &Order, seal: Seal<'_>) -> anyhow::Result<Message> {
        let created = order
            .trade_time
            .as_deref()
            .context("the order has no trade time yet")?;
        let serial_no = &order.serial_no;
        let mut headers = vec![(KEY_ID, key_id(seal.keys.current()))];
        let (method, path, body) = match call {
            Call::Pay => {
                let amount = minor_units(order.amount, order.currency).with_context(|| {
                    format!(
                        "{} {} is no whole number of minor units",
                        order.amount, order.currency
                    )
                })?;
                let payout = NewPayout {
                    reference: serial_no,
                    amount,
                    currency: order.currency.code(),
                    destination: NewDestination {
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
            Call::Query => {
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
        headers.push((SIGNATURE, format!("t={},v1={signature}", seal.now_s)));
        Ok(Message {
            method,
            path,
            headers,
            body,
        })
    }

    fn read(
        &self,
        call: Call,
        order: &Order,
        reply: &Reply,
        seal: Seal<'_>,
    ) -> anyhow::Result<Heard> {
        // 409 and every other refusal says nothing of an earlier request.
        let listed = matches!(
            (call, reply.status),
            (Call::Pay, 200 | 201) | (Call::Query, 200 | 404)
        );
        ensure!(listed, "HTTP {}", reply.status);
        verify(&reply.headers, &reply.body, seal)?;
        if reply.status == 404 {
            return not_found(order, reply);
        }
        let payout: Payout =
            serde_json::from_slice(&reply.body).context("reply is not a payout")?;
        ensure!(
            payout.reference == order.serial_no,
            "reply is about another reference"
        );
        Ok(heard(payout))
    }

    fn notified(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        seal: Seal<'_>,
    ) -> Result<Notified, NotifyError> {
        verify(headers, body, seal).map_err(|why| NotifyError::Signature {
            header: SIGNATURE,
            why,
        })?;
        let event: Event =
            serde_json::from_slice(body).map_err(|e| NotifyError::Body(e.to_string()))?;
        let agree = event.kind.strip_prefix("payout.") == Some(event.data.status.as_str());
        let serial_no = event.data.reference.clone();
        let mut heard = heard(event.data);
        // A webhook tells ends only, and its two words for one thing must agree.
        if !agree || heard.answer == Answer::Accepted {
            heard.answer = Answer::Unknown;
        }
        Ok(Notified { serial_no, heard })
    }
}

/// Only the provider's own, signed "no such payout" about our reference is one: a
/// 404 of anything between us is not.
fn not_found(order: &Order, reply: &Reply) -> anyhow::Result<Heard> {
    let refused: Refused =
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
    Ok(Heard {
        answer: Answer::NoSuchTrade,
        ..Heard::unknown(&refused.error.code)
    })
}

fn heard(payout: Payout) -> Heard {
    let failure = payout.failure_code.as_deref();
    let fits = |codes: &Option<&[&str]>| match (codes, failure) {
        (None, None) => true,
        (Some(codes), Some(failure)) => codes.contains(&failure),
        _ => false,
    };
    let listed = STATUSES
        .iter()
        .find(|(status, codes, _)| *status == payout.status && fits(codes));
    Heard {
        answer: listed.map_or(Answer::Unknown, |(_, _, answer)| *answer),
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
fn verify(headers: &HeaderMap, body: &[u8], seal: Seal<'_>) -> Result<(), SignatureError> {
    let text = header(headers, SIGNATURE).ok_or(SignatureError::Malformed)?;
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
        .take(MOST_SIGNATURES)
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
