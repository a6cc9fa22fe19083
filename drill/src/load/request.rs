//! Requests to the core, written straight into the buffer that is sent.

use std::io::Write;
use uuid::Uuid;

/// The address that requests go to, and their sender.
#[derive(Debug, Clone)]
pub struct LoadTarget {
    /// `127.0.0.1:7100`.
    pub address: String,
    /// Bearer token of a configured client.
    pub token: Option<String>,
}

/// A withdrawal. Amounts are major units as text. Values are ids and digits: they
/// hold nothing that JSON would escape.
#[derive(Debug, Clone, Copy)]
pub struct LoadWithdrawal<'a> {
    pub from_account: &'a str,
    pub to_account: &'a str,
    pub amount: &'a str,
    pub currency: &'a str,
    pub user_id: &'a str,
    pub transaction_id: &'a str,
    pub biz_no: &'a str,
    pub channel: Option<&'a str>,
}

#[derive(Debug, Clone, Copy)]
pub struct LoadDeposit<'a> {
    pub account: &'a str,
    pub amount: &'a str,
    pub currency: &'a str,
    pub biz_no: &'a str,
}

/// A fresh transaction id or idempotency key: UUIDv7, 32 hex digits.
pub fn new_key() -> String {
    Uuid::now_v7().simple().to_string()
}

impl LoadTarget {
    pub fn new(address: &str) -> Self {
        LoadTarget {
            address: address.into(),
            token: None,
        }
    }

    /// `POST /withdraw/submit`, keyed by the transaction id.
    pub fn submit(&self, out: &mut Vec<u8>, withdrawal: &LoadWithdrawal<'_>) {
        self.post(out, "/withdraw/submit", None, &withdrawal.json());
    }

    /// `POST /withdraw`, keyed by the header.
    pub fn withdraw(&self, out: &mut Vec<u8>, key: &str, withdrawal: &LoadWithdrawal<'_>) {
        self.post(out, "/withdraw", Some(key), &withdrawal.json());
    }

    /// `POST /deposit`, keyed by the business number.
    pub fn deposit(&self, out: &mut Vec<u8>, deposit: &LoadDeposit<'_>) {
        let LoadDeposit {
            account,
            amount,
            currency,
            biz_no,
        } = deposit;
        let json = format!(
            r#"{{"accountId":"{account}","amount":"{amount}","currency":"{currency}","bizNo":"{biz_no}"}}"#
        );
        self.post(out, "/deposit", None, &json);
    }

    /// Any GET with the target's token.
    pub fn get(&self, out: &mut Vec<u8>, path: &str) {
        // Writing into a Vec can't fail, here and below.
        let _ = write!(out, "GET {path} HTTP/1.1\r\nhost: {}\r\n", self.address);
        if let Some(token) = &self.token {
            let _ = write!(out, "authorization: Bearer {token}\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Any POST of JSON with the target's token and an optional idempotency key.
    pub fn post(&self, out: &mut Vec<u8>, path: &str, key: Option<&str>, json: &str) {
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let authorization = bearer.as_deref().map(|bearer| ("authorization", bearer));
        let key = key.map(|key| ("idempotent-key", key));
        let headers: [Option<(&str, &str)>; 2] = [authorization, key];
        push_post(
            out,
            &self.address,
            path,
            headers.iter().flatten(),
            json.as_bytes(),
        );
    }
}

/// Appends a POST of JSON with `headers`, whose values must be plain text.
pub fn push_post<'h>(
    out: &mut Vec<u8>,
    address: &str,
    path: &str,
    headers: impl IntoIterator<Item = &'h (&'h str, &'h str)>,
    json: &[u8],
) {
    let length = json.len();
    let _ = write!(
        out,
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n"
    );
    for (name, value) in headers {
        let _ = write!(out, "{name}: {value}\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(json);
}

impl LoadWithdrawal<'_> {
    fn json(&self) -> String {
        let LoadWithdrawal {
            from_account,
            to_account,
            amount,
            currency,
            user_id,
            transaction_id,
            biz_no,
            ..
        } = self;
        let mut json = format!(
            r#"{{"fromAccountId":"{from_account}","toAccountId":"{to_account}","amount":"{amount}","currency":"{currency}","userId":"{user_id}","transactionId":"{transaction_id}","bizNo":"{biz_no}""#
        );
        if let Some(channel) = self.channel {
            json.push_str(r#","channel":""#);
            json.push_str(channel);
            json.push('"');
        }
        json.push('}');
        json
    }
}

/// The string after `"<name>":"` in an answer: enough to collect order ids at
/// thousands a second without parsing JSON.
pub fn field<'a>(body: &'a [u8], name: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once(&format!("\"{name}\":\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
