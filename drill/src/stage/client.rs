//! The APIs of core and sidecar as an upstream and an operator call them.

use anyhow::{Context, bail};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sluice_contract::order::OrderKind;
use sluice_contract::settings::Secret;
use std::time::Duration;

/// Longer than any answer should take; a hang is an error, not a wait.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Longest audit of a stage's few accounts.
const AUDIT_TIMEOUT: Duration = Duration::from_secs(60);

/// One withdrawal as an upstream submits it.
#[derive(Debug, Clone)]
pub struct UpstreamSubmit {
    pub from: String,
    pub to: String,
    /// Major units, as text.
    pub amount: String,
    pub transaction_id: String,
    pub biz_no: String,
    pub channel: String,
}

#[derive(Clone)]
pub struct StageClient {
    http: reqwest::Client,
    core: String,
    /// Base URL that channels call; like `core` unless given.
    callbacks: String,
    sidecar: String,
    token: Secret,
}

impl StageClient {
    /// `core` and `sidecar` are base URLs; `token` is what the sidecar asks for.
    pub fn new(core: &str, sidecar: &str, token: &Secret) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(REQUEST_TIMEOUT)
            .tcp_nodelay(true)
            .build()?;
        Ok(StageClient {
            http,
            core: core.to_owned(),
            callbacks: core.to_owned(),
            sidecar: sidecar.to_owned(),
            token: token.clone(),
        })
    }

    /// Sends what channels send to the core's listener for them.
    pub fn with_callbacks(mut self, callbacks: &str) -> Self {
        callbacks.clone_into(&mut self.callbacks);
        self
    }

    /// The listener for this path.
    fn core_url(&self, path: &str) -> String {
        let base = if path.starts_with("/withdraw/notify/") {
            &self.callbacks
        } else {
            &self.core
        };
        format!("{base}{path}")
    }

    /// A read of the sidecar, as the holder of its token.
    pub async fn read_sidecar(&self, path: &str) -> anyhow::Result<(u16, Value)> {
        let token = String::from_utf8_lossy(self.token.expose()).into_owned();
        let request = self.http.get(format!("{}{path}", self.sidecar));
        Self::answer(request.bearer_auth(token).send().await?).await
    }

    async fn answer(reply: reqwest::Response) -> anyhow::Result<(u16, Value)> {
        let status = reply.status().as_u16();
        let text = reply.text().await?;
        let body = serde_json::from_str(&text)
            .with_context(|| format!("HTTP {status}, not JSON: {text}"))?;
        Ok((status, body))
    }

    /// POSTs to the core; returns status and body whatever they are.
    pub async fn post(
        &self,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> anyhow::Result<(u16, Value)> {
        let mut request = self.http.post(self.core_url(path)).body(body.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Self::answer(request.send().await?).await
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<(u16, Value)> {
        Self::answer(self.http.get(format!("{}{path}", self.core)).send().await?).await
    }

    /// Submits a withdrawal; returns its order id.
    pub async fn submit(&self, ask: &UpstreamSubmit) -> anyhow::Result<String> {
        let body = json!({
            "fromAccountId": ask.from, "toAccountId": ask.to, "amount": ask.amount, "currency": "CNY",
            "transactionId": ask.transaction_id, "bizNo": ask.biz_no, "channel": ask.channel,
        });
        let (status, answer) = self.post("/withdraw/submit", &body, &[]).await?;
        match answer["data"]["withdrawOrderId"].as_str() {
            Some(id) if status == 202 => Ok(id.to_owned()),
            _ => bail!("submit was answered {status}: {answer}"),
        }
    }

    pub async fn deposit(
        &self,
        account: &str,
        amount: Decimal,
        biz_no: &str,
    ) -> anyhow::Result<()> {
        let body = json!({ "accountId": account, "amount": amount.to_string(), "currency": "CNY", "bizNo": biz_no });
        let (status, answer) = self.post("/deposit", &body, &[]).await?;
        if status != 202 {
            bail!("deposit was answered {status}: {answer}");
        }
        Ok(())
    }

    /// The order's shown data.
    pub async fn order(&self, id: &str) -> anyhow::Result<Value> {
        self.order_of(OrderKind::CashOut, id).await
    }

    pub async fn order_of(&self, kind: OrderKind, id: &str) -> anyhow::Result<Value> {
        let (status, answer) = self.get(&format!("/{}/{id}", kind.word())).await?;
        if status != 200 {
            bail!("order {id} was answered {status}: {answer}");
        }
        Ok(answer["data"].clone())
    }

    pub async fn cancel(&self, id: &str) -> anyhow::Result<()> {
        let (status, answer) = self
            .post(&format!("/withdraw/{id}/cancel"), &json!({}), &[])
            .await?;
        if status != 200 {
            bail!("cancel of {id} was answered {status}: {answer}");
        }
        Ok(())
    }

    /// A person closes a breaker at the sidecar, and answers everything that is open on it.
    pub async fn reset(&self, breaker: &str, by: &str, reason: &str) -> anyhow::Result<()> {
        let mut found = self.findings_on(breaker).await?;
        if found["standing"].as_array().is_some_and(|s| !s.is_empty()) {
            // Mended by now; an audit has to see it.
            self.audit_now(AUDIT_TIMEOUT).await?;
            found = self.findings_on(breaker).await?;
        }
        let open = found["open"].as_array().into_iter().flatten();
        let verdicts: Vec<&Value> = open.map(|verdict| &verdict["verdictId"]).collect();
        let body = json!({ "by": by, "reason": reason, "version": found["version"], "verdicts": verdicts });
        self.act(&format!("breakers/{breaker}/reset"), body).await
    }

    /// A breaker with its open verdicts, and what stands at rest.
    pub async fn findings_on(&self, breaker: &str) -> anyhow::Result<Value> {
        let (status, answer) = self.read_sidecar(&format!("/breakers/{breaker}")).await?;
        if status != 200 {
            bail!("{breaker} was answered {status}: {answer}");
        }
        Ok(answer["data"].clone())
    }

    /// A person vouches for the breakers as they are.
    pub async fn seal(&self, by: &str, reason: &str) -> anyhow::Result<()> {
        let body = json!({ "by": by, "reason": reason });
        self.act("breakers/seal", body).await
    }

    /// A person vouches for all rows of the guard as they are.
    pub async fn seal_guard(&self, by: &str, reason: &str) -> anyhow::Result<()> {
        let body = json!({ "by": by, "reason": reason });
        self.act("guard/seal", body).await
    }

    /// A person says that from now on each ledger entry has a seal.
    pub async fn seal_entries(&self, by: &str, reason: &str) -> anyhow::Result<()> {
        let body = json!({ "by": by, "reason": reason, "entries": true });
        self.act("guard/seal", body).await
    }

    /// A person opens one.
    pub async fn trip(&self, breaker: &str, by: &str, reason: &str) -> anyhow::Result<()> {
        let body = json!({ "by": by, "reason": reason });
        self.act(&format!("breakers/{breaker}/trip"), body).await
    }

    /// Acts as a person; `what` is the path.
    async fn act(&self, what: &str, body: Value) -> anyhow::Result<()> {
        let token = String::from_utf8_lossy(self.token.expose()).into_owned();
        let request = self
            .http
            .post(format!("{}/{what}", self.sidecar))
            .bearer_auth(token)
            .header("content-type", "application/json")
            .body(body.to_string());
        let (status, answer) = Self::answer(request.send().await?).await?;
        if status != 200 {
            bail!("{what} was answered {status}: {answer}");
        }
        Ok(())
    }

    /// The sidecar's report on its runs over the data at rest.
    pub async fn audit(&self) -> anyhow::Result<Value> {
        let (status, answer) = self.read_sidecar("/audit").await?;
        if status != 200 {
            bail!("the sidecar answered {status}: {answer}");
        }
        Ok(answer["data"].clone())
    }

    /// Asks for a run that begins after now, and waits until one has ended; what it
    /// found is in the verdicts.
    pub async fn audit_now(&self, within: Duration) -> anyhow::Result<Value> {
        let before = self.audit().await?["last"]["runId"].clone();
        let token = String::from_utf8_lossy(self.token.expose()).into_owned();
        let (status, answer) = Self::answer(
            self.http
                .post(format!("{}/audit", self.sidecar))
                .bearer_auth(token)
                .send()
                .await?,
        )
        .await?;
        if status != 200 {
            bail!("the sidecar answered {status}: {answer}");
        }
        let begun = std::time::Instant::now();
        loop {
            let note = self.audit().await?;
            let done = note["asked"] == false
                && note["running"].is_null()
                && note["last"]["runId"] != before;
            if done {
                return Ok(note["last"].clone());
            }
            if begun.elapsed() > within {
                bail!("no run has ended within {within:?}: {note}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn sidecar_status(&self) -> anyhow::Result<Value> {
        Ok(self.read_sidecar("/status").await?.1)
    }
}
