//! Requests and their answers.

use crate::workflow::promotion_rules::PromotionStep;
use serde::Serialize;

/// Step that a person wants of one rule.
pub struct PromotionRequest<'a> {
    pub rule: &'a str,
    pub step: PromotionStep,
    /// Of the version that the person looked at; not needed on the way down.
    pub hash: &'a str,
    pub by: &'a str,
    pub reason: &'a str,
    /// First person, who proposed it, if this is the second person.
    pub proposed_by: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "done"
)]
pub enum PromotionResult {
    #[serde(rename = "inForce")]
    InForce { version: i64, hash: String },
    /// Waits for a second person.
    #[serde(rename = "proposed")]
    Proposed {
        step: String,
        rule_hash: String,
        expires_us: i64,
    },
}

/// Reasons why nothing was done.
#[derive(Debug)]
pub enum PromotionRefusal {
    /// Every reason.
    Reasons(Vec<String>),
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for PromotionRefusal {
    fn from(error: E) -> Self {
        PromotionRefusal::Failed(error.into())
    }
}

pub(super) fn no<T>(reason: impl Into<String>) -> Result<T, PromotionRefusal> {
    Err(PromotionRefusal::Reasons(vec![reason.into()]))
}
