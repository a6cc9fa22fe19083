//! Calls that `make up` shows: they work as they stand, and trip nothing.

use crate::load::request::new_key;
use crate::stage::DrillStage;
use crate::stage::traffic::Traffic;
use std::fmt::Write;

/// Accounts that have money when the page is printed, in whole CNY each.
const FUNDED_ACCOUNT_COUNT: u64 = 3;
const FUNDED_AMOUNT: u64 = 1_000;

/// One call of the page.
#[derive(Debug, Clone)]
pub struct FirstCall {
    pub purpose: &'static str,
    /// Path and query.
    pub path: String,
    /// JSON of a POST; a GET has none.
    pub body: Option<String>,
}

impl FirstCall {
    /// In the order of the page. A deposit is none of them: money that no event told of is
    /// held, and trips a breaker when nobody tells of it in time.
    pub fn all() -> Vec<FirstCall> {
        let key = new_key();
        let withdrawal = format!(
            r#"{{"fromAccountId":"A00000","toAccountId":"6222000011112222","amount":"25.50","currency":"CNY","userId":"u-1","transactionId":"{key}","bizNo":"first-{key}"}}"#
        );
        vec![
            FirstCall {
                purpose: "pay out",
                path: "/withdraw/submit".to_owned(),
                body: Some(withdrawal),
            },
            FirstCall {
                purpose: "what became of it",
                path: format!("/withdraw?transactionId={key}"),
                body: None,
            },
            FirstCall {
                purpose: "what is left",
                path: "/accounts/A00000".to_owned(),
                body: None,
            },
        ]
    }

    fn curl(&self, core: &str) -> String {
        match &self.body {
            Some(body) => format!("curl -X POST {core}{} -d '{body}'", self.path),
            None => format!("curl '{core}{}'", self.path),
        }
    }
}

/// Text of the page, for a core at this URL.
pub fn page(core: &str, calls: &[FirstCall]) -> String {
    let mut text =
        format!("\nA00000, A00001 and A00002 have {FUNDED_AMOUNT} CNY each. Try, as they stand:\n");
    for (n, call) in calls.iter().enumerate() {
        // Writing into a String can't fail.
        let _ = writeln!(text, "{}. {:<18} {}", n + 1, call.purpose, call.curl(core));
    }
    text + "A deposit needs an event of its own, or it is money that nobody paid in: docs/EVENTS.md\n"
}

/// Gives the page's accounts their money, events and all.
///
/// # Errors
/// The core's, or Kafka's.
pub async fn fund(stage: &DrillStage) -> anyhow::Result<()> {
    let traffic = Traffic::new("first", FUNDED_ACCOUNT_COUNT);
    traffic.fund(stage, FUNDED_AMOUNT).await
}
