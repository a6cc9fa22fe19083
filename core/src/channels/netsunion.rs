//! 网联-like: the result comes in the reply; what is still in process is told
//! within minutes by a notification (seed 002 §4.3).

use super::{Answer, Dialect};

pub struct NetsUnion;

impl Dialect for NetsUnion {
    fn id(&self) -> &'static str {
        "netsunion"
    }

    fn on_pay(&self, code: &str) -> Answer {
        match code {
            "0000" => Answer::Succeeded,
            "1001" | "1002" => Answer::Declined,
            "2001" => Answer::Accepted,
            "9002" => Answer::Duplicate,
            _ => Answer::Unknown,
        }
    }

    fn on_query(&self, code: &str) -> Answer {
        match code {
            "0000" => Answer::Succeeded,
            "1001" | "1002" => Answer::Declined,
            "2001" => Answer::Accepted,
            "9001" => Answer::NoSuchTrade,
            _ => Answer::Unknown,
        }
    }

    fn on_notify(&self, code: &str) -> Answer {
        match code {
            "0000" => Answer::Succeeded,
            "1001" | "1002" => Answer::Declined,
            _ => Answer::Unknown,
        }
    }
}
