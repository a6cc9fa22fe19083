//! Refusals: a stable code, a true status, a message that names the field.

use crate::accept::Refusal;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sluice_contract::wire::{Answer, ApiCode};

#[derive(Debug)]
pub struct ApiError {
    pub code: ApiCode,
    pub msg: String,
}

impl ApiError {
    pub fn new(code: ApiCode, msg: &str) -> Self {
        ApiError {
            code,
            msg: msg.to_owned(),
        }
    }

    /// A failure of ours: logged here, told without its inside.
    pub fn internal(error: &anyhow::Error) -> Self {
        tracing::error!("request failed: {error:#}");
        ApiError::new(
            ApiCode::Internal,
            "internal error; nothing is known to be booked, ask again with the same key",
        )
    }
}

impl ApiError {
    /// A request that was not booked; `account` is what this request calls the account.
    pub fn refused(refusal: &Refusal, account: &str) -> Self {
        let code = match refusal {
            Refusal::InFlight => ApiCode::InFlight,
            Refusal::KeyReused | Refusal::AlreadyCaptured => ApiCode::KeyReused,
            Refusal::UnknownAccount | Refusal::UnknownBalance => ApiCode::UnknownAccount,
            Refusal::InsufficientFunds | Refusal::InsufficientCaptured => {
                ApiCode::InsufficientFunds
            }
            Refusal::UnknownPayment => ApiCode::UnknownPayment,
            Refusal::PaymentExceeded => ApiCode::PaymentExceeded,
            Refusal::BalanceOverflow => ApiCode::BadAmount,
            Refusal::Overloaded => ApiCode::Overloaded,
            Refusal::Unbookable => ApiCode::Internal,
            Refusal::Unavailable => ApiCode::Unavailable,
        };
        let field = match refusal {
            Refusal::UnknownAccount => account,
            Refusal::UnknownBalance => "currency",
            Refusal::InsufficientFunds
            | Refusal::InsufficientCaptured
            | Refusal::BalanceOverflow => "amount",
            Refusal::UnknownPayment | Refusal::PaymentExceeded | Refusal::AlreadyCaptured => {
                "paymentNo"
            }
            Refusal::KeyReused | Refusal::InFlight => "idempotent-key",
            Refusal::Overloaded | Refusal::Unbookable | Refusal::Unavailable => "",
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
        let body = Answer::<()> {
            code: self.code as u32,
            msg: self.msg,
            data: None,
        };
        let mut answer = (status, Json(body)).into_response();
        if matches!(
            self.code,
            ApiCode::InFlight | ApiCode::TooOften | ApiCode::Overloaded | ApiCode::Unavailable
        ) {
            answer
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        answer
    }
}
