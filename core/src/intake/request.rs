//! Requests that payments are booked by.

use crate::accept::{BookingRequest, CaptureBooking, IdempotentRequest};
use crate::config::INTAKE_CLIENT;
use sha2::{Digest, Sha256};
use sluice_contract::event::BusinessEvent;
use sluice_contract::ids::{MAX_ID_BYTES, MAX_KEY_BYTES, is_plain};
use sluice_contract::money::{Currency, parse_amount};

/// Width of the key's column.
const MAX_KEY_LEN: usize = 80;

/// Makes the booking that the event asks for, under a key of its own. The event's time is
/// no part of what is asked: published again, it is the same payment.
pub(super) fn capture_request(
    event: &BusinessEvent,
    event_time_us: i64,
) -> Result<IdempotentRequest, String> {
    let BusinessEvent {
        account_id, biz_no, ..
    } = event;
    if !is_plain(account_id, MAX_ID_BYTES) {
        return Err(format!(
            "accountId is not 1 to {MAX_ID_BYTES} letters, digits and _ - . :"
        ));
    }
    if !is_plain(biz_no, MAX_KEY_BYTES) {
        return Err(format!(
            "bizNo is not 1 to {MAX_KEY_BYTES} letters, digits and _ - . :"
        ));
    }
    let currency: Currency = event
        .currency
        .parse()
        .map_err(|e| format!("currency {e}"))?;
    // Its text, so that an amount with more decimals than the currency is refused.
    let amount =
        parse_amount(&event.amount.to_string(), currency).map_err(|e| format!("amount {e}"))?;
    let payer = event.payer_account_id.clone();
    if payer
        .as_deref()
        .is_some_and(|p| !is_plain(p, MAX_KEY_BYTES))
    {
        return Err(format!(
            "payerAccountId is not 1 to {MAX_KEY_BYTES} letters, digits and _ - . :"
        ));
    }
    let mut words = format!("{account_id}\n{biz_no}\n{}\n{currency}", amount.normalize());
    if let Some(payer) = &payer {
        words.push_str(&format!("\n{payer}"));
    }
    let (account, payment_no) = (account_id.clone(), biz_no.clone());
    let booking = BookingRequest::Capture(CaptureBooking {
        account_id: account,
        amount,
        currency,
        payment_no,
        payer,
        event_time_us,
    });
    Ok(IdempotentRequest {
        client: INTAKE_CLIENT.to_owned(),
        scope: String::new(),
        key: key(account_id, biz_no),
        request_hash: hex::encode(Sha256::digest(words)),
        origin: sluice_contract::traces::RequestOrigin::fresh(),
        repeat_only: false,
        booking,
    })
}

/// Makes a key that is unique per account and payment: a slash is in neither.
fn key(account_id: &str, biz_no: &str) -> String {
    let plain = format!("pay/{account_id}/{biz_no}");
    if plain.len() <= MAX_KEY_LEN {
        plain
    } else {
        format!("pay/{}", hex::encode(Sha256::digest(plain)))
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
