//! Events and watermarks of a case, as people write them.

use crate::rules::testing::written_values::amount;
use crate::stream::change::{ReceivedEvent, RuleInput, SourceKind};
use serde::Deserialize;
use sluice_contract::event::BusinessEvent;
use std::sync::Arc;

/// A business event.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenEvent {
    #[serde(default)]
    id: String,
    #[serde(rename = "type")]
    kind: String,
    account_id: String,
    biz_no: String,
    amount: String,
    #[serde(default = "yuan")]
    currency: String,
    #[serde(default)]
    occurred_us: i64,
    client: Option<String>,
}

fn yuan() -> String {
    "CNY".to_owned()
}

/// Watermarks of one source or both, in milliseconds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenWatermark {
    pub binlog: Option<i64>,
    pub kafka: Option<i64>,
}

impl WrittenEvent {
    /// The input that this event stands for.
    pub fn input(&self, number: usize) -> Result<RuleInput, String> {
        let id = if self.id.is_empty() {
            format!("event-{number}")
        } else {
            self.id.clone()
        };
        let body = BusinessEvent {
            id,
            kind: self.kind.clone(),
            account_id: self.account_id.clone(),
            biz_no: self.biz_no.clone(),
            amount: amount(&self.amount)?,
            currency: self.currency.clone(),
            occurred_us: self.occurred_us,
            payer_account_id: None,
            client: self.client.clone(),
        };
        let position = format!("{}/0/{number}", body.topic()).into();
        Ok(RuleInput::Event(Arc::new(ReceivedEvent { position, body })))
    }
}

impl WrittenWatermark {
    /// The inputs that these watermarks stand for.
    pub fn inputs(&self) -> Vec<RuleInput> {
        let both = [
            (SourceKind::Binlog, self.binlog),
            (SourceKind::Kafka, self.kafka),
        ];
        let input = |(source, ms): (SourceKind, Option<i64>)| {
            Some(RuleInput::Watermark {
                source,
                at_us: ms?.saturating_mul(1_000),
            })
        };
        both.into_iter().filter_map(input).collect()
    }
}
