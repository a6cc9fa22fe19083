//! 银联-like: the reply only says that the request was accepted, the result comes
//! by callback, and a success may be returned later (退票; seed 002 §4.1).

use super::{Answer, Dialect};

pub struct UnionPay;

impl Dialect for UnionPay {
    fn id(&self) -> &'static str {
        "unionpay"
    }

    fn on_pay(&self, code: &str) -> Answer {
        match code {
            "00" => Answer::Accepted,
            "11" => Answer::Declined,
            "03" => Answer::Duplicate,
            _ => Answer::Unknown,
        }
    }

    fn on_query(&self, code: &str) -> Answer {
        match code {
            "00S" => Answer::Succeeded,
            "00F" => Answer::Declined,
            "00R" => Answer::Returned,
            "05" => Answer::Accepted,
            "34" => Answer::NoSuchTrade,
            _ => Answer::Unknown,
        }
    }

    fn on_notify(&self, code: &str) -> Answer {
        match code {
            "00S" => Answer::Succeeded,
            "00F" => Answer::Declined,
            "00R" => Answer::Returned,
            _ => Answer::Unknown,
        }
    }
}
