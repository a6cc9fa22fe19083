//! A rule's way over a real MariaDB: edited in the folder, in shadow beside the armed
//! version, promoted by two people, taken back.

use crate::server::TestServer;
use mysql_async::prelude::Queryable;
use serde_json::{Value, json};
use sluice_contract::schema::Schemas;
use sluice_sidecar::config::SidecarConfig;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const SIDECAR_TOKEN: &str = "0123456789abcdef0123456789abcdef";
const ANN_TOKEN: &str = "ann-0123456789abcdef0123456789abcdef";
const BOB_TOKEN: &str = "bob-0123456789abcdef0123456789abcdef";

fn rule(rate: u32, message: &str) -> String {
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

fn cases(message: &str) -> String {
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

struct WorkflowSidecar {
    port: u16,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<anyhow::Result<()>>,
}

fn start(server: &TestServer, instance: &str, rules: &Path) -> WorkflowSidecar {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let dir = server.dir();
    for secret in ["provenance_key", "sidecar_token"] {
        std::fs::write(dir.join(secret), SIDECAR_TOKEN).unwrap();
    }
    let text = format!(
        "listen = '127.0.0.1:{port}'\nrules_dir = '{}'\nsecrets_dir = '{}'\ninstance = '{instance}'\n\
         [mysql]\nurl = '{}'\ndatabase = 't'\nserver_id = {}\n",
        rules.display(),
        dir.display(),
        server.url(),
        u32::from(port) + 100_000,
    );
    let file = dir.join(format!("{instance}.toml"));
    std::fs::write(&file, text).unwrap();
    let config = SidecarConfig::load(&file).unwrap();
    let (stop, stopped) = oneshot::channel();
    let ended = tokio::spawn(sluice_sidecar::run(config, async {
        let _ = stopped.await;
    }));
    WorkflowSidecar { port, stop, ended }
}

impl WorkflowSidecar {
    async fn call(&self, method: &str, path: &str, token: &str, body: &str) -> (u16, Value) {
        let mut stream = loop {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port)).await {
                break stream;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        (
            status,
            serde_json::from_str(body).unwrap_or(Value::String(body.to_owned())),
        )
    }

    async fn post(&self, path: &str, token: &str, body: Value) -> (u16, Value) {
        self.call("POST", path, token, &body.to_string()).await
    }

    /// Refused, and `part` is among the reasons.
    async fn refused(&self, path: &str, token: &str, body: Value, part: &str) {
        let (status, answer) = self.post(path, token, body).await;
        assert!(
            status >= 400 && answer["msg"].as_str().unwrap().contains(part),
            "{part:?} is not in {status} {answer}"
        );
    }

    async fn done(&self, path: &str, token: &str, body: Value) -> Value {
        let (status, answer) = self.post(path, token, body).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer["data"].clone()
    }

    async fn until<T>(&self, path: &str, wanted: impl Fn(&Value) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            let (_, answer) = self.call("GET", path, "", "").await;
            if let Some(found) = wanted(&answer["data"]) {
                return found;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{path}: {answer}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn ready(&self) {
        while self.call("GET", "/ready", "", "").await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the set that is in force is loaded and shows `wanted`; hash of the version meant.
    async fn shows(&self, wanted: &[&str]) -> String {
        self.until("/rules", |data| {
            let loaded = data["version"] == data["inForce"];
            (loaded && shown(data) == wanted).then(|| {
                let of = |candidate| {
                    data["rules"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .find(|r| r["id"] == "adds_up" && r["candidate"] == candidate)
                };
                of(true)
                    .or_else(|| of(false))
                    .map(|r| r["hash"].as_str().unwrap().to_owned())
                    .unwrap_or_default()
            })
        })
        .await
    }

    async fn end(self) {
        self.stop.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(10), self.ended)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }
}

fn shown(data: &Value) -> Vec<String> {
    let one = |r: &Value| {
        let star = if r["candidate"] == true { "*" } else { "" };
        format!(
            "{}{star} {}",
            r["id"].as_str().unwrap(),
            r["mode"].as_str().unwrap()
        )
    };
    data["rules"].as_array().unwrap().iter().map(one).collect()
}

struct WorkflowSetup {
    server: TestServer,
    rules: PathBuf,
}

impl WorkflowSetup {
    async fn up() -> WorkflowSetup {
        let server = TestServer::start("workflow", &[]).await;
        server.migrate(&Schemas::under("t").unwrap()).await;
        let rules = server.dir().join("rules");
        std::fs::create_dir_all(&rules).unwrap();
        let stage = WorkflowSetup { server, rules };
        stage.write(&rule(10, "it does not add up"), &cases("add up"));
        stage
    }

    fn write(&self, rule: &str, cases: &str) {
        std::fs::write(self.rules.join("adds_up.cases.toml"), cases).unwrap();
        std::fs::write(self.rules.join("adds_up.rhai"), rule).unwrap();
    }

    fn people(&self) {
        let people = self.server.dir().join("people");
        std::fs::create_dir_all(&people).unwrap();
        for (name, token) in [("ann", ANN_TOKEN), ("bob", BOB_TOKEN)] {
            std::fs::write(people.join(name), token).unwrap();
        }
    }

    /// A balance that does not add up; waits for as many verdicts on it.
    async fn violate(
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

#[tokio::test(flavor = "multi_thread")]
async fn from_the_folder_to_trip_and_back() {
    let stage = WorkflowSetup::up().await;
    let one = start(&stage.server, "one", &stage.rules);
    one.ready().await;
    // The first set: modes as headers say.
    let first = one.shows(&["adds_up trip"]).await;
    nobody_has_a_token(&one, &first).await;
    stage.people();

    // An edit: in shadow beside the armed version, both see live traffic, one opens.
    let begun = Instant::now();
    stage.write(&rule(0, "edited: it does not add up"), &cases("edited"));
    let edited = one.shows(&["adds_up trip", "adds_up* shadow"]).await;
    println!("edit to shadow: {:?}", begun.elapsed());
    let found = stage.violate(&one, "v-1", 2).await;
    let mut modes: Vec<(&str, i64)> = found
        .iter()
        .map(|v| (v["mode"].as_str().unwrap(), v["opened"].as_i64().unwrap()))
        .collect();
    modes.sort_unstable();
    assert_eq!(modes, [("shadow", 0), ("trip", 1)]);
    explained(&one, &found).await;

    // Refused: the wrong version, more findings than declared, a step too far.
    let to = |to: &str, hash: &str| json!({ "to": to, "hash": hash, "reason": "a test" });
    let promote = "/rules/adds_up/promote";
    one.refused(promote, ANN_TOKEN, to("trip", &first), "somebody edited")
        .await;
    one.refused(
        promote,
        ANN_TOKEN,
        to("trip", &edited),
        "rate_per_hour of 0",
    )
    .await;
    one.refused(
        promote,
        ANN_TOKEN,
        to("alert", &edited),
        "demote that one first",
    )
    .await;
    one.refused(promote, "x", to("trip", &edited), "your own token")
        .await;
    one.refused(promote, SIDECAR_TOKEN, to("trip", &edited), "no person's")
        .await;
    // Corrected, but its cases no longer fit; then they do.
    stage.write(&rule(5, "corrected: it does not add up"), &cases("edited"));
    let untested = one
        .until("/rules", |d| {
            d["rules"][1]["untested"][0].as_str().map(str::to_owned)
        })
        .await;
    assert!(untested.contains("it does not"), "{untested}");
    let corrected = one.shows(&["adds_up trip", "adds_up* shadow"]).await;
    one.refused(promote, ANN_TOKEN, to("trip", &corrected), "it does not")
        .await;
    stage.write(
        &rule(5, "corrected: it does not add up"),
        &cases("corrected"),
    );
    one.until("/rules", |d| {
        d["rules"][1]["untested"]
            .as_array()
            .filter(|u| u.is_empty())
            .map(|_| ())
    })
    .await;

    two_people(&one, &corrected).await;
    let found = stage.violate(&one, "v-2", 1).await;
    assert!(
        found[0]["message"]
            .as_str()
            .unwrap()
            .starts_with("corrected")
            && found[0]["opened"] == 1,
        "{found:?}"
    );

    back_again(&stage, &one).await;
    a_wrong_file_changes_nothing(&stage, &one).await;
    another_folder(&stage, one).await;
}

async fn nobody_has_a_token(one: &WorkflowSidecar, hash: &str) {
    let body = json!({ "to": "trip", "hash": hash, "reason": "a test", "by": "me" });
    one.refused(
        "/rules/adds_up/promote",
        SIDECAR_TOKEN,
        body,
        "secrets_dir/people",
    )
    .await;
    let body = json!({ "to": "alert", "reason": "a test" });
    one.refused(
        "/rules/adds_up/demote",
        SIDECAR_TOKEN,
        body,
        "by must name you",
    )
    .await;
}

async fn explained(one: &WorkflowSidecar, found: &[Value]) {
    let trip = found.iter().find(|v| v["mode"] == "trip").unwrap();
    let (status, answer) = one
        .call(
            "GET",
            &format!("/verdicts/{}", trip["verdictId"].as_str().unwrap()),
            "",
            "",
        )
        .await;
    let data = &answer["data"];
    assert_eq!(
        (status, data["breakers"][0]["state"].as_str()),
        (200, Some("open")),
        "{answer}"
    );
    assert_eq!(
        data["about"]["guards"],
        "A balance is available plus reserved."
    );
    assert_eq!(one.call("GET", "/verdicts/0", "", "").await.0, 404);
}

async fn two_people(one: &WorkflowSidecar, hash: &str) {
    let body = json!({ "to": "trip", "hash": hash, "reason": "a test" });
    let proposed = one.done("/rules/adds_up/promote", ANN_TOKEN, body).await;
    assert_eq!(proposed["done"], "proposed");
    one.shows(&["adds_up trip", "adds_up* shadow"]).await;
    let approve = "/rules/adds_up/approve";
    let trip = json!({ "step": "trip", "hash": hash });
    one.refused(approve, ANN_TOKEN, trip.clone(), "second person")
        .await;
    one.refused(
        approve,
        BOB_TOKEN,
        json!({ "step": "trip", "hash": "0" }),
        "look at it again",
    )
    .await;
    one.refused(approve, SIDECAR_TOKEN, trip.clone(), "no person's")
        .await;
    // What is proposed under this hash is another thing than bob was asked for.
    one.refused(
        approve,
        BOB_TOKEN,
        json!({ "step": "retire", "hash": hash }),
        "is trip, not retire",
    )
    .await;
    assert_eq!(
        one.done(approve, BOB_TOKEN, trip.clone()).await["done"],
        "inForce"
    );
    assert_eq!(one.shows(&["adds_up trip"]).await, hash);
    one.refused(approve, BOB_TOKEN, trip, "nothing is proposed")
        .await;
    let (_, sets) = one.call("GET", "/rules/sets", "", "").await;
    let newest = &sets["data"][0];
    assert!(
        newest["createdBy"] == "bob"
            && newest["reason"]
                .as_str()
                .unwrap()
                .contains("proposed by ann"),
        "{sets}"
    );
}

async fn back_again(stage: &WorkflowSetup, one: &WorkflowSidecar) {
    one.refused(
        "/rules/rollback",
        ANN_TOKEN,
        json!({ "version": 99, "reason": "a test" }),
        "can't be had back",
    )
    .await;
    one.done(
        "/rules/rollback",
        ANN_TOKEN,
        json!({ "version": 1, "reason": "a test" }),
    )
    .await;
    one.shows(&["adds_up trip"]).await;
    let found = stage.violate(one, "v-3", 1).await;
    assert_eq!(found[0]["message"], "it does not add up");
    one.done(
        "/rules/adds_up/demote",
        BOB_TOKEN,
        json!({ "to": "alert", "reason": "a test" }),
    )
    .await;
    one.shows(&["adds_up alert"]).await;
    assert_eq!(stage.violate(one, "v-4", 1).await[0]["opened"], 0);
}

async fn a_wrong_file_changes_nothing(stage: &WorkflowSetup, one: &WorkflowSidecar) {
    let wrong = stage.rules.join("wrong.rhai");
    std::fs::write(&wrong, "no header").unwrap();
    stage.write(&rule(7, "beside a wrong file"), &cases("beside"));
    let why = one
        .until("/rules", |d| d["refused"].as_str().map(str::to_owned))
        .await;
    assert!(why.contains("wrong.rhai"), "{why}");
    one.shows(&["adds_up alert"]).await;
    std::fs::remove_file(&wrong).unwrap();
    one.shows(&["adds_up alert", "adds_up* shadow"]).await;
    // Deleted: the armed one stays, and so does its candidate.
    std::fs::write(
        stage.rules.join("other.rhai"),
        rule(1, "x").replace("adds_up", "other"),
    )
    .unwrap();
    one.shows(&["adds_up alert", "adds_up* shadow", "other shadow"])
        .await;
    std::fs::remove_file(stage.rules.join("adds_up.rhai")).unwrap();
    std::fs::remove_file(stage.rules.join("other.rhai")).unwrap();
    std::fs::write(
        stage.rules.join("more.rhai"),
        rule(1, "x").replace("adds_up", "more"),
    )
    .unwrap();
    one.shows(&["adds_up alert", "adds_up* shadow", "more shadow"])
        .await;
}

/// A standby with another folder uses the same set, and changes nothing by taking over.
async fn another_folder(stage: &WorkflowSetup, one: WorkflowSidecar) {
    let other = stage.server.dir().join("other-rules");
    std::fs::create_dir_all(&other).unwrap();
    std::fs::write(
        other.join("more.rhai"),
        rule(1, "x").replace("adds_up", "more"),
    )
    .unwrap();
    let two = start(&stage.server, "two", &other);
    let all = ["adds_up alert", "adds_up* shadow", "more shadow"];
    two.shows(&all).await;
    let hash = |data: &Value| Some(data["hash"].clone());
    assert_eq!(
        one.until("/rules", hash).await,
        two.until("/rules", hash).await
    );
    // What is asked of one reaches the other too.
    two.done(
        "/rules/adds_up/demote",
        ANN_TOKEN,
        json!({ "to": "shadow", "reason": "a test" }),
    )
    .await;
    one.shows(&["adds_up shadow", "adds_up* shadow", "more shadow"])
        .await;
    one.end().await;
    two.ready().await;
    two.shows(&["adds_up shadow", "adds_up* shadow", "more shadow"])
        .await;
    two.end().await;
    // Started again, with nothing but the database.
    let again = start(&stage.server, "three", &stage.server.dir().join("nowhere"));
    again.ready().await;
    again
        .shows(&["adds_up shadow", "adds_up* shadow", "more shadow"])
        .await;
    again.end().await;
}
