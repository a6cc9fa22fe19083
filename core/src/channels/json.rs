//! The wire that NetsUnion-like and UnionPay-like channels share: signed JSON, POST
//! only, a response code in every reply. Which code means what is data (`Codes`).

use super::{Adaptor, Answer, Call, Heard, Message, Notified, NotifyError, Reply, Seal, header};
use crate::orders::Order;
use anyhow::{Context, ensure};
use reqwest::Method;
use reqwest::header::HeaderMap;
use sluice_contract::signing::{self, SIGNATURE_HEADER, SignatureError, TIMESTAMP_HEADER};
use sluice_contract::wire::{ChannelPay, ChannelQuery, ChannelReply};

/// A channel's response codes by what they answer. What isn't listed is unknown.
pub struct Codes {
    pub id: &'static str,
    pub on_pay: &'static [(&'static str, Answer)],
    /// Reply to a query by serial number and trade time.
    pub on_query: &'static [(&'static str, Answer)],
    /// The channel's own call to us.
    pub on_notify: &'static [(&'static str, Answer)],
}

pub struct JsonChannel(pub Codes);

fn look_up(table: &[(&str, Answer)], code: &str) -> Answer {
    table
        .iter()
        .find(|(listed, _)| *listed == code)
        .map_or(Answer::Unknown, |(_, answer)| *answer)
}

impl Adaptor for JsonChannel {
    fn id(&self) -> &'static str {
        self.0.id
    }

    fn message(&self, call: Call, order: &Order, seal: Seal<'_>) -> anyhow::Result<Message> {
        let trade_time = order
            .trade_time
            .clone()
            .context("the order has no trade time yet")?;
        let body = match call {
            Call::Pay => serde_json::to_vec(&ChannelPay {
                serial_no: order.serial_no.clone(),
                trade_time,
                to_account: order.to_account.clone(),
                amount: order.amount.normalize(),
                currency: order.currency.code().to_owned(),
            }),
            Call::Query => serde_json::to_vec(&ChannelQuery {
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
        Ok(Message {
            method: Method::POST,
            path: format!("/{}/{}", self.0.id, call.as_str()),
            headers,
            body,
        })
    }

    fn read(
        &self,
        call: Call,
        order: &Order,
        reply: &Reply,
        seal: Seal<'_>,
    ) -> anyhow::Result<Heard> {
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
            Call::Pay => self.0.on_pay,
            Call::Query => self.0.on_query,
        };
        Ok(heard(table, said))
    }

    fn notified(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        seal: Seal<'_>,
    ) -> Result<Notified, NotifyError> {
        verify(headers, body, seal).map_err(|why| NotifyError::Signature {
            header: SIGNATURE_HEADER,
            why,
        })?;
        let said: ChannelReply =
            serde_json::from_slice(body).map_err(|e| NotifyError::Body(e.to_string()))?;
        Ok(Notified {
            serial_no: said.serial_no.clone(),
            heard: heard(self.0.on_notify, said),
        })
    }
}

fn heard(table: &[(&str, Answer)], said: ChannelReply) -> Heard {
    Heard {
        answer: look_up(table, &said.code),
        code: said.code,
        amount: said.amount,
        currency: None,
        to_account: said.to_account,
    }
}

fn verify(headers: &HeaderMap, body: &[u8], seal: Seal<'_>) -> Result<(), SignatureError> {
    let (time, signature) = (
        header(headers, TIMESTAMP_HEADER),
        header(headers, SIGNATURE_HEADER),
    );
    seal.keys
        .either(|secret| signing::verify(secret, seal.now_s, time, signature, body))
}
