//! Fields of a payment that a channel's message tells otherwise than they are, or leaves out.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A field that a channel echoes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EchoedField {
    SerialNo,
    TradeTime,
    Currency,
    Amount,
    Payee,
}

/// A message of the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BentMessage {
    PayReply,
    QueryReply,
    Callback,
}

/// One field of one sort of message, bent in its first `times`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldBend {
    pub field: EchoedField,
    pub on: BentMessage,
    /// Left out instead of told otherwise.
    #[serde(default)]
    pub missing: bool,
    #[serde(default = "once")]
    pub times: u32,
}

fn once() -> u32 {
    1
}

impl FieldBend {
    /// Bends the field named so, dots between levels.
    pub fn apply(&self, message: &mut Value, name: &str) {
        let (parents, last) = name.rsplit_once('.').unwrap_or(("", name));
        let parents = parents.split('.').filter(|part| !part.is_empty());
        let mut at = message;
        for parent in parents {
            at = &mut at[parent];
        }
        let Some(fields) = at.as_object_mut() else {
            return;
        };
        if self.missing {
            fields.remove(last);
        } else if let Some(value) = fields.get_mut(last) {
            *value = self.other(value);
        }
    }

    /// Another value of the same form.
    fn other(&self, value: &Value) -> Value {
        if let Some(number) = value.as_i64() {
            return (number + 1).into();
        }
        let text = value.as_str().unwrap_or_default();
        match self.field {
            EchoedField::Currency if text == "USD" => "EUR".into(),
            EchoedField::Currency => "USD".into(),
            EchoedField::Amount => format!("1{text}").into(),
            // The last digit, so that a number stays one and a time is one second away.
            EchoedField::SerialNo | EchoedField::TradeTime | EchoedField::Payee => {
                let last = if text.ends_with('1') { "2" } else { "1" };
                format!("{}{last}", &text[..text.len().saturating_sub(1)]).into()
            }
        }
    }
}
