//! Payment channels behind one trait: what they call things (`Dialect`) is data,
//! how they are called (`client`) is shared.

pub mod client;
pub mod netsunion;
pub mod unionpay;

pub use client::Client;

/// A settlement never leaves the platform: this stands where others have a channel.
pub const INTERNAL: &str = "internal";

/// What a channel's answer proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// It has the trade and will tell the result.
    Accepted,
    Succeeded,
    /// It did not and will not pay.
    Declined,
    /// Proves nothing. The default of every code table (promise 2).
    Unknown,
    /// Same serial number, same day: it was sent before, and only a query tells the result.
    Duplicate,
    NoSuchTrade,
    /// Given back after success.
    Returned,
}

impl Answer {
    pub fn as_str(self) -> &'static str {
        match self {
            Answer::Accepted => "accepted",
            Answer::Succeeded => "succeeded",
            Answer::Declined => "declined",
            Answer::Unknown => "unknown",
            Answer::Duplicate => "duplicate",
            Answer::NoSuchTrade => "no_such_trade",
            Answer::Returned => "returned",
        }
    }
}

/// A channel's response codes. Whatever isn't listed is `Unknown`.
pub trait Dialect: Send + Sync {
    fn id(&self) -> &'static str;
    /// Reply to a payment request.
    fn on_pay(&self, code: &str) -> Answer;
    /// Reply to a query by serial number and trade time.
    fn on_query(&self, code: &str) -> Answer;
    /// The channel's own call to us.
    fn on_notify(&self, code: &str) -> Answer;
}

/// The dialect of a configured channel id.
pub fn dialect(id: &str) -> anyhow::Result<Box<dyn Dialect>> {
    match id {
        "netsunion" => Ok(Box::new(netsunion::NetsUnion)),
        "unionpay" => Ok(Box::new(unionpay::UnionPay)),
        other => anyhow::bail!("no dialect for channel {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_listed_proves_nothing() {
        for id in ["netsunion", "unionpay"] {
            let d = dialect(id).unwrap();
            for code in ["", "7777", "500", "null", "OK", "SIG"] {
                assert_eq!(d.on_pay(code), Answer::Unknown, "{id} {code}");
                assert_eq!(d.on_query(code), Answer::Unknown, "{id} {code}");
                assert_eq!(d.on_notify(code), Answer::Unknown, "{id} {code}");
            }
        }
    }

    #[test]
    fn a_conflict_with_an_earlier_request_proves_nothing_about_that_one() {
        assert_eq!(dialect("netsunion").unwrap().on_pay("1003"), Answer::Unknown);
        assert_eq!(dialect("unionpay").unwrap().on_pay("12"), Answer::Unknown);
    }

    #[test]
    fn a_duplicate_is_not_a_failure_and_a_notification_never_says_no_such_trade() {
        assert_eq!(dialect("netsunion").unwrap().on_pay("9002"), Answer::Duplicate);
        assert_eq!(dialect("unionpay").unwrap().on_pay("03"), Answer::Duplicate);
        assert_eq!(dialect("netsunion").unwrap().on_notify("9001"), Answer::Unknown);
        assert_eq!(dialect("unionpay").unwrap().on_notify("34"), Answer::Unknown);
    }
}
