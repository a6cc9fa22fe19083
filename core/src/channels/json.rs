//! The wire that NetsUnion-like and UnionPay-like channels share: signed JSON, POST
//! only, a response code in every reply. Which code means what is data (`ResponseCodes`).

use crate::channels::adapter::{
    ChannelAdapter, ChannelCall, ChannelMessage, ChannelNotification, NotificationError, RawReply,
    SigningContext, header,
};
use crate::channels::answer::{ChannelAnswer, ChannelResult};
use crate::orders::Order;
use anyhow::{Context, ensure};
use reqwest::Method;
use reqwest::header::HeaderMap;
use sluice_contract::signing::{self, SIGNATURE_HEADER, SignatureError, TIMESTAMP_HEADER};
use sluice_contract::wire::{ChannelPay, ChannelQuery, ChannelReply};

/// A channel's response codes by what they answer. What isn't listed is unknown.
pub struct ResponseCodes {
    pub id: &'static str,
    pub on_pay: &'static [(&'static str, ChannelAnswer)],
    /// Reply to a query by serial number and trade time.
    pub on_query: &'static [(&'static str, ChannelAnswer)],
    /// The channel's own call to us.
    pub on_notify: &'static [(&'static str, ChannelAnswer)],
}

/// Channel of the shared wire, with its codes.
pub struct JsonChannel(pub ResponseCodes);

fn look_up(table: &[(&str, ChannelAnswer)], code: &str) -> ChannelAnswer {
    table
        .iter()
        .find(|(listed, _)| *listed == code)
        .map_or(ChannelAnswer::Unknown, |(_, answer)| *answer)
}

impl ChannelAdapter for JsonChannel {
    fn id(&self) -> &'static str {
        self.0.id
    }

    fn message(
        &self,
        call: ChannelCall,
        order: &Order,
        seal: SigningContext<'_>,
    ) -> anyhow::Result<ChannelMessage> {
        let trade_time = order
            .trade_time
            .clone()
            .context("the order has no trade time yet")?;
        let body = match call {
            ChannelCall::Pay => serde_json::to_vec(&ChannelPay {
                serial_no: order.serial_no.clone(),
                trade_time,
                to_account: order.to_account.clone(),
                amount: order.amount.normalize(),
                currency: order.currency.code().to_owned(),
            }),
            ChannelCall::Query => serde_json::to_vec(&ChannelQuery {
                serial_no: order.serial_no.clone(),
                trade_time,
            }),
        }?;
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            (
                SIGNATURE_HEADER,
                signing::sign(seal.keys.current(), seal.now_s, &body),
            ),
            (TIMESTAMP_HEADER, seal.now_s.to_string()),
        ];
        Ok(ChannelMessage {
            method: Method::POST,
            path: format!("/{}/{}", self.0.id, call.as_str()),
            headers,
            body,
        })
    }

    fn read(
        &self,
        call: ChannelCall,
        order: &Order,
        reply: &RawReply,
        seal: SigningContext<'_>,
    ) -> anyhow::Result<ChannelResult> {
        // Whatever a refused request says of itself, it says nothing of an earlier
        // one under the same serial number.
        ensure!((200..300).contains(&reply.status), "HTTP {}", reply.status);
        verify(&reply.headers, &reply.body, seal)?;
        let said: ChannelReply =
            serde_json::from_slice(&reply.body).context("reply is not the agreed JSON")?;
        ensure!(
            said.serial_no == order.serial_no,
            "reply is about another serial number"
        );
        let table = match call {
            ChannelCall::Pay => self.0.on_pay,
            ChannelCall::Query => self.0.on_query,
        };
        Ok(result_of(table, said))
    }

    fn notified(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        seal: SigningContext<'_>,
    ) -> Result<ChannelNotification, NotificationError> {
        verify(headers, body, seal).map_err(|why| NotificationError::Signature {
            header: SIGNATURE_HEADER,
            why,
        })?;
        let said: ChannelReply =
            serde_json::from_slice(body).map_err(|e| NotificationError::Body(e.to_string()))?;
        Ok(ChannelNotification {
            serial_no: said.serial_no.clone(),
            result: result_of(self.0.on_notify, said),
        })
    }
}

fn result_of(table: &[(&str, ChannelAnswer)], said: ChannelReply) -> ChannelResult {
    ChannelResult {
        answer: look_up(table, &said.code),
        code: said.code,
        amount: said.amount,
        currency: None,
        to_account: said.to_account,
    }
}

fn verify(
    headers: &HeaderMap,
    body: &[u8],
    seal: SigningContext<'_>,
) -> Result<(), SignatureError> {
    let (time, signature) = (
        header(headers, TIMESTAMP_HEADER),
        header(headers, SIGNATURE_HEADER),
    );
    seal.keys
        .either(|secret| signing::verify(secret, seal.now_s, time, signature, body))
}
