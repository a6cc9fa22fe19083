//! Refusals: a stable code, a true status, a message that names the field.

use crate::accept::AcceptError;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sluice_contract::clock::now_us;
use sluice_contract::wire::{ApiCode, ApiResponse};

/// Refusal of a request.
#[derive(Debug)]
pub struct ApiError {
    pub code: ApiCode,
    pub msg: String,
}

impl ApiError {
    /// Makes a refusal; `msg` names the field.
    pub fn new(code: ApiCode, msg: &str) -> Self {
        ApiError {
            code,
            msg: msg.to_owned(),
        }
    }

    /// Makes the refusal of a failure of ours: logged here, told without its inside.
    pub fn internal(error: &anyhow::Error) -> Self {
        tracing::error!("request failed: {error:#}");
        ApiError::new(
            ApiCode::Internal,
            "internal error; nothing is known to be booked, ask again with the same key",
        )
    }

    /// Makes the refusal of a request that was not booked; `account` is what this request
    /// calls the account.
    pub fn refused(refusal: &AcceptError, account: &str) -> Self {
        let code = match refusal {
            AcceptError::InFlight => ApiCode::InFlight,
            AcceptError::KeyReused
            | AcceptError::Differs { .. }
            | AcceptError::BadPredecessor(_)
            | AcceptError::AlreadyCaptured => ApiCode::KeyReused,
            AcceptError::UnknownAccount | AcceptError::UnknownBalance => ApiCode::UnknownAccount,
            AcceptError::InsufficientFunds | AcceptError::InsufficientCaptured => {
                ApiCode::InsufficientFunds
            }
            AcceptError::UnknownPayment => ApiCode::UnknownPayment,
            AcceptError::NotThePayer | AcceptError::UnknownPayer => ApiCode::NotThePayer,
            AcceptError::PaymentExceeded => ApiCode::PaymentExceeded,
            AcceptError::BalanceOverflow => ApiCode::BadAmount,
            // What it seemed to repeat is gone: another look tells.
            AcceptError::NotRepeated => ApiCode::InFlight,
            AcceptError::Overloaded => ApiCode::Overloaded,
            AcceptError::Unbookable => ApiCode::Internal,
            AcceptError::AccountLocked | AcceptError::Unavailable => ApiCode::Unavailable,
        };
        let field = match refusal {
            AcceptError::UnknownAccount => account,
            AcceptError::UnknownBalance => "currency",
            AcceptError::InsufficientFunds
            | AcceptError::InsufficientCaptured
            | AcceptError::BalanceOverflow => "amount",
            AcceptError::NotThePayer => "toAccountId",
            AcceptError::UnknownPayment
            | AcceptError::UnknownPayer
            | AcceptError::PaymentExceeded
            | AcceptError::AlreadyCaptured => "paymentNo",
            AcceptError::KeyReused | AcceptError::InFlight | AcceptError::NotRepeated => {
                "idempotent-key"
            }
            AcceptError::AccountLocked => account,
            AcceptError::Differs { name, .. } => name.field(),
            AcceptError::BadPredecessor(_) => "predecessorId",
            AcceptError::Overloaded | AcceptError::Unbookable | AcceptError::Unavailable => "",
        };
        let colon = if field.is_empty() { "" } else { ": " };
        ApiError {
            code,
            msg: format!("{field}{colon}{refusal}"),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = ApiResponse::<()> {
            code: self.code as u32,
            msg: self.msg,
            data: None,
        };
        let mut answer = (status, Json(body)).into_response();
        if matches!(
            self.code,
            ApiCode::InFlight
                | ApiCode::TooOften
                | ApiCode::RateLimited
                | ApiCode::Overloaded
                | ApiCode::Unavailable
        ) {
            answer
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.code == ApiCode::Unauthorized {
            answer
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.code == ApiCode::HourSpent {
            let left_s = 3_600 - (now_us() / 1_000_000).rem_euclid(3_600);
            answer
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(left_s));
        }
        answer
    }
}
