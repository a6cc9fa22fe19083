//! Callers and grants: who may do what, on real processes, by callers that lie.

mod amounts;
mod contention;
mod deposits;
mod end_users;
mod issuer;
mod issuer_tls;
mod listing;
mod routes;
mod secrets;
mod signatures;
mod token_kinds;
mod tokens;

use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use serde_json::{Value, json};
use sluice_drill::stage::StageOptions;
use sluice_tests::{TestStage, options};

/// A core without dispatch: orders stay where they were accepted.
pub(super) async fn stage(clients: &str) -> anyhow::Result<TestStage> {
    let mut options = StageOptions {
        fence: false,
        dispatch: false,
        ..options()
    };
    options.core_extra = format!("{}\n{clients}", options.core_extra);
    TestStage::prepare(options).await
}

/// A table of the settings.
pub(super) fn client(name: &str, rest: &str) -> String {
    format!("[[clients]]\nname = \"{name}\"\n{rest}\n")
}

/// The bearer token of a client of these tests.
pub(super) fn token(name: &str) -> String {
    format!("token-of-{name}-0123456789")
}

/// Writes the tokens of the clients, then starts the core.
pub(super) async fn start(set: &mut TestStage, clients: &[&str]) -> anyhow::Result<()> {
    for name in clients {
        write_secret(set, &format!("client_{name}"), &token(name))?;
    }
    set.stage.start_core().await
}

pub(super) fn write_secret(set: &TestStage, name: &str, text: &str) -> anyhow::Result<()> {
    let path = set.stage.dir.join("secrets").join(name);
    std::fs::write(path, text).with_context(|| name.to_owned())
}

/// An answer: status, the body's JSON (a text if it is none), its headers.
pub(super) struct Answer {
    pub status: u16,
    pub body: Value,
    pub replayed: bool,
}

impl Answer {
    /// Fails unless status and code are these.
    pub fn is(&self, status: u16, code: u32) -> anyhow::Result<()> {
        ensure!(
            self.status == status && self.body["code"] == code,
            "not {status} {code} but {} {}",
            self.status,
            self.body
        );
        Ok(())
    }
}

/// One caller: headers that all its requests have.
#[derive(Clone)]
pub(super) struct Upstream {
    http: reqwest::Client,
    base: String,
    /// Base URL of the listener that channels call.
    callbacks: String,
    headers: Vec<(String, String)>,
}

impl Upstream {
    /// A caller without any proof.
    pub fn nobody(set: &TestStage) -> anyhow::Result<Self> {
        Ok(Upstream {
            http: reqwest::Client::builder().no_proxy().build()?,
            base: set.stage.ports.url(set.stage.ports.core),
            callbacks: set.stage.ports.url(set.stage.ports.callbacks),
            headers: Vec::new(),
        })
    }

    /// A client with its bearer token.
    pub fn of(set: &TestStage, name: &str) -> anyhow::Result<Self> {
        let bearer = format!("Bearer {}", token(name));
        Ok(Upstream::nobody(set)?.with("authorization", &bearer))
    }

    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut more = self.clone();
        more.headers.push((name.to_owned(), value.to_owned()));
        more
    }

    /// The same caller at another core.
    pub fn at(&self, base: &str) -> Self {
        Upstream {
            base: base.to_owned(),
            ..self.clone()
        }
    }

    pub async fn send(&self, method: &str, path: &str, body: &str) -> anyhow::Result<Answer> {
        let base = match path.starts_with("/withdraw/notify/") {
            true => &self.callbacks,
            false => &self.base,
        };
        let url = format!("{base}{path}");
        let mut request = self
            .http
            .request(method.parse()?, url)
            .body(body.to_owned());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let reply = request.send().await?;
        let replayed = reply.headers().contains_key("idempotent-replayed");
        let (status, text) = (reply.status().as_u16(), reply.text().await?);
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer {
            status,
            body,
            replayed,
        })
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send("GET", path, "").await
    }

    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.send("POST", path, &body.to_string()).await
    }

    pub async fn deposit(
        &self,
        account: &str,
        amount: &str,
        biz_no: &str,
    ) -> anyhow::Result<Answer> {
        let body = json!({ "accountId": account, "amount": amount, "bizNo": biz_no });
        self.post("/deposit", &body).await
    }

    /// A withdrawal under a key of the header.
    pub async fn withdraw(&self, key: &str, body: &Value) -> anyhow::Result<Answer> {
        self.with("idempotent-key", key)
            .post("/withdraw", body)
            .await
    }
}

/// Available money of an account, as the table has it.
pub(super) async fn available(set: &TestStage, account: &str) -> anyhow::Result<String> {
    let sql = format!(
        "SELECT CAST(available AS CHAR) FROM {}.balance WHERE account_id=?",
        set.stage.schemas.balance
    );
    let mut conn = set.stage.pool.get_conn().await?;
    let found: Option<String> = conn.exec_first(sql, (account,)).await?;
    Ok(found.unwrap_or_default())
}

/// Orders of an account in the table.
pub(super) async fn orders(set: &TestStage, account: &str) -> anyhow::Result<i64> {
    let sql = format!(
        "SELECT COUNT(*) FROM {}.orders WHERE account_id=?",
        set.stage.schemas.orders
    );
    let mut conn = set.stage.pool.get_conn().await?;
    let found: Option<i64> = conn.exec_first(sql, (account,)).await?;
    Ok(found.unwrap_or_default())
}
