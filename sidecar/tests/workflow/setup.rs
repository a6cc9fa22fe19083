//! The rule, its cases, and the folder and people around them.

use super::*;

pub const SIDECAR_TOKEN: &str = "0123456789abcdef0123456789abcdef";
pub const ANN_TOKEN: &str = "ann-0123456789abcdef0123456789abcdef";
pub const BOB_TOKEN: &str = "bob-0123456789abcdef0123456789abcdef";

pub fn rule(rate: u32, message: &str) -> String {
    format!(
        r#"//! id = "adds_up"
//! guards = "A balance is available plus reserved."
//! kind = "internal_logic"
//! severity = "critical"
//! mode = "trip"
//! breaker = "cash_out/account"
//! owner = "tests"
//! runbook = "Look at it."
//! rate_per_hour = {rate}
//! [trigger]
//! on = "row"
//! table = "balance"
//! ops = ["insert"]

fn check(row) {{
    let b = row.after;
    if b.balance != b.available + b.reserved {{
        violation(b.account_id, b.currency, "{message}")
    }}
}}
"#
    )
}

pub fn cases(message: &str) -> String {
    let case = |name: &str, available: u32| {
        format!(
            "[[case]]\nname = \"{name}\"\n[[case.step]]\ntransaction = \"\"\nrow = [{{ table = \"balance\", op = \"insert\", \
             after = {{ account_id = \"a\", currency = \"CNY\", balance = \"10\", available = \"{available}\", \
             reserved = \"4\", version = 1 }} }}]\n"
        )
    };
    let (right, wrong) = (case("it adds up", 6), case("it does not", 5));
    format!("{right}{wrong}[[case.expect]]\naccount = \"a\"\nmessage = \"{message}\"\n")
}

pub struct WorkflowSetup {
    pub server: TestServer,
    pub rules: PathBuf,
}

impl WorkflowSetup {
    pub async fn up(name: &str) -> WorkflowSetup {
        let server = TestServer::start(name, &[]).await;
        server.migrate(&Schemas::under("t").unwrap()).await;
        let rules = server.dir().join("rules");
        std::fs::create_dir_all(&rules).unwrap();
        let stage = WorkflowSetup { server, rules };
        stage.write(&rule(10, "it does not add up"), &cases("add up"));
        stage
    }

    pub fn write(&self, rule: &str, cases: &str) {
        std::fs::write(self.rules.join("adds_up.cases.toml"), cases).unwrap();
        std::fs::write(self.rules.join("adds_up.rhai"), rule).unwrap();
    }

    pub fn people(&self) {
        let people = self.server.dir().join("people");
        std::fs::create_dir_all(&people).unwrap();
        for (name, token) in [("ann", ANN_TOKEN), ("bob", BOB_TOKEN)] {
            std::fs::write(people.join(name), token).unwrap();
        }
    }

    /// A balance that does not add up; waits for as many verdicts on it.
    pub async fn violate(
        &self,
        sidecar: &WorkflowSidecar,
        account: &str,
        verdicts: usize,
    ) -> Vec<Value> {
        let sql = format!(
            "INSERT INTO t_balance.balance (account_id,currency,balance,available,reserved,version,updated_us) \
             VALUES ('{account}','CNY',10,5,4,1,0)"
        );
        self.server.conn().await.query_drop(sql).await.unwrap();
        sidecar
            .until("/verdicts?limit=1000", |data| {
                let of = data
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(|v| v["accountId"] == account)
                    .cloned()
                    .collect::<Vec<_>>();
                (of.len() == verdicts).then_some(of)
            })
            .await
    }
}
