//! The wire that NetsUnion-like and UnionPay-like channels share: signed JSON, POST
//! only, a response code in every reply. Which code means what is data (`ResponseCodes`).

use crate::channels::adapter::{
    ChannelAdapter, ChannelCall, ChannelMessage, ChannelNotification, NotificationError, RawReply,
    SigningContext, header,
};
use crate::channels::answer::{ChannelAnswer, ChannelResult};
use crate::channels::echo::{Echo, EchoedPayment};
use crate::config::ChannelDecimals;
use crate::orders::Order;
use anyhow::{Context, ensure};
use reqwest::Method;
use reqwest::header::HeaderMap;
use sluice_contract::signing::{
    MessageDirection, MessageScope, NONCE_HEADER, SIGNATURE_HEADER, SignatureError,
    TIMESTAMP_HEADER, callback_path,
};
use sluice_contract::wire::{ChannelPay, ChannelQuery, ChannelReply};
use std::sync::Arc;

/// A channel's response codes by what they answer. What isn't listed is unknown.
pub struct ResponseCodes {
    pub id: &'static str,
    pub on_pay: &'static [(&'static str, ChannelAnswer)],
    /// Reply to a query by serial number and trade time.
    pub on_query: &'static [(&'static str, ChannelAnswer)],
    /// The channel's own call to us.
    pub on_notify: &'static [(&'static str, ChannelAnswer)],
}

/// Channel of the shared wire, with its codes and decimals.
pub struct JsonChannel {
    pub codes: ResponseCodes,
    pub decimals: Arc<ChannelDecimals>,
}

fn look_up(table: &[(&str, ChannelAnswer)], code: &str) -> ChannelAnswer {
    table
        .iter()
        .find(|(listed, _)| *listed == code)
        .map_or(ChannelAnswer::Unknown, |(_, answer)| *answer)
}

impl JsonChannel {
    fn path(&self, call: ChannelCall) -> String {
        format!("/{}/{}", self.codes.id, call.as_str())
    }

    fn body(&self, call: ChannelCall, order: &Order) -> anyhow::Result<Vec<u8>> {
        let serial_no = order.serial_no.clone();
        let trade_time = order
            .trade_time
            .clone()
            .context("the order has no trade time yet")?;
        Ok(match call {
            ChannelCall::Pay => {
                self.decimals.check(order.amount, order.currency)?;
                serde_json::to_vec(&ChannelPay {
                    serial_no,
                    trade_time,
                    to_account: order.to_account.clone(),
                    amount: order.amount.normalize(),
                    currency: order.currency.code().to_owned(),
                })
            }
            ChannelCall::Query => serde_json::to_vec(&ChannelQuery {
                serial_no,
                trade_time,
            }),
        }?)
    }
}

impl ChannelAdapter for JsonChannel {
    fn id(&self) -> &'static str {
        self.codes.id
    }

    fn message(
        &self,
        call: ChannelCall,
        order: &Order,
        nonce: &str,
        seal: SigningContext<'_>,
    ) -> anyhow::Result<ChannelMessage> {
        let (path, body) = (self.path(call), self.body(call, order)?);
        let scope = MessageScope {
            direction: call.direction(),
            channel: self.codes.id,
            path: &path,
            nonce,
        };
        let signature = scope.sign(seal.keys.current(), seal.now_s, &body);
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            (SIGNATURE_HEADER, signature),
            (TIMESTAMP_HEADER, seal.now_s.to_string()),
            (NONCE_HEADER, nonce.to_owned()),
        ];
        Ok(ChannelMessage {
            method: Method::POST,
            path,
            headers,
            body,
        })
    }

    fn read(
        &self,
        call: ChannelCall,
        _: &Order,
        nonce: &str,
        reply: &RawReply,
        seal: SigningContext<'_>,
    ) -> anyhow::Result<ChannelResult> {
        // Whatever a refused request says of itself, it says nothing of an earlier
        // one under the same serial number.
        ensure!((200..300).contains(&reply.status), "HTTP {}", reply.status);
        let scope = MessageScope {
            direction: MessageDirection::Reply,
            channel: self.codes.id,
            path: &self.path(call),
            nonce,
        };
        verify(scope, &reply.headers, &reply.body, seal)?;
        let said: ChannelReply =
            serde_json::from_slice(&reply.body).context("reply is not the agreed JSON")?;
        let table = match call {
            ChannelCall::Pay => self.codes.on_pay,
            ChannelCall::Query => self.codes.on_query,
        };
        Ok(result_of(table, said))
    }

    fn notified(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        seal: SigningContext<'_>,
    ) -> Result<ChannelNotification, NotificationError> {
        let scope = MessageScope {
            direction: MessageDirection::Callback,
            channel: self.codes.id,
            path: &callback_path(self.codes.id),
            nonce: header(headers, NONCE_HEADER).unwrap_or_default(),
        };
        verify(scope, headers, body, seal).map_err(|why| NotificationError::Signature {
            header: SIGNATURE_HEADER,
            why,
        })?;
        let said: ChannelReply =
            serde_json::from_slice(body).map_err(|e| NotificationError::Body(e.to_string()))?;
        let result = result_of(self.codes.on_notify, said);
        ChannelNotification::of(result, "serialNo")
    }
}

/// Reads the reply. One about no trade knows none of a trade's figures.
fn result_of(table: &[(&str, ChannelAnswer)], said: ChannelReply) -> ChannelResult {
    let answer = look_up(table, &said.code);
    let filled = |text: String| Some(text).filter(|text| !text.is_empty());
    let (serial_no, trade_time) = (filled(said.serial_no), filled(said.trade_time));
    let mut echo = EchoedPayment {
        serial_no: Echo::required(serial_no),
        trade_time: Echo::required(trade_time),
        ..EchoedPayment::default()
    };
    if answer == ChannelAnswer::NoSuchTrade {
        echo.currency = Echo::optional(said.currency);
        echo.amount = Echo::optional(said.amount);
        echo.to_account = Echo::optional(said.to_account);
    } else {
        echo.currency = Echo::required(said.currency);
        echo.amount = Echo::required(said.amount);
        echo.to_account = Echo::required(said.to_account);
    }
    ChannelResult {
        answer,
        code: said.code,
        echo,
    }
}

fn verify(
    scope: MessageScope<'_>,
    headers: &HeaderMap,
    body: &[u8],
    seal: SigningContext<'_>,
) -> Result<(), SignatureError> {
    let (time, signature) = (
        header(headers, TIMESTAMP_HEADER),
        header(headers, SIGNATURE_HEADER),
    );
    seal.keys
        .either(|secret| scope.verify(secret, seal.now_s, time, signature, body))
}
