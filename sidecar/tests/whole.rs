//! The whole sidecar over a real MariaDB and librdkafka's mock of Kafka: lease,
//! fence, barrier, breakers by hand, and a restart.

use crate::server::TestServer;
use mysql_async::prelude::Queryable;
use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use sluice_contract::clock::now_us;
use sluice_contract::event::BUSINESS_TOPICS;
use sluice_contract::schema::Schemas;
use sluice_contract::wire::FenceLine;
use sluice_sidecar::config::SidecarConfig;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const WHOLE_TOKEN: &str = "0123456789abcdef0123456789abcdef";

const WHOLE_RULE: &str = r#"//! id = "balance-adds-up"
//! guards = "balance is available plus reserved"
//! kind = "internal_logic"
//! severity = "critical"
//! mode = "trip"
//! breaker = "cash_out/account"
//! owner = "tests"
//! runbook = "none"
//! [trigger]
//! on = "row"
//! table = "balance"
//! ops = ["insert", "update"]

fn check(row) {
    let b = row.after;
    if b.balance != b.available + b.reserved {
        violation(b.account_id, b.currency, "balance is not available plus reserved")
    }
}
"#;

struct WholeSidecar {
    port: u16,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<anyhow::Result<()>>,
}

fn start(server: &TestServer, brokers: &str, instance: &str) -> WholeSidecar {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let dir = server.dir();
    for secret in ["provenance_key", "sidecar_token"] {
        std::fs::write(dir.join(secret), WHOLE_TOKEN).unwrap();
    }
    std::fs::create_dir_all(dir.join("rules")).unwrap();
    std::fs::write(dir.join("rules/balance-adds-up.rhai"), WHOLE_RULE).unwrap();
    let text = format!(
        "listen = '127.0.0.1:{port}'\nrules_dir = '{}'\nsecrets_dir = '{}'\ninstance = '{instance}'\n\
         [mysql]\nurl = '{}'\ndatabase = 't'\nserver_id = {}\n[kafka]\nbrokers = '{brokers}'\n",
        dir.join("rules").display(),
        dir.display(),
        server.url(),
        u32::from(port) + 100_000,
    );
    let file = dir.join(format!("{instance}.toml"));
    std::fs::write(&file, text).unwrap();
    let config = SidecarConfig::load(Path::new(&file)).unwrap();
    let (stop, stopped) = oneshot::channel();
    let ended = tokio::spawn(sluice_sidecar::run(config, async {
        let _ = stopped.await;
    }));
    WholeSidecar { port, stop, ended }
}

impl WholeSidecar {
    async fn call(&self, method: &str, path: &str, token: &str, body: &str) -> (u16, String) {
        let mut stream = self.connect().await;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    async fn connect(&self) -> TcpStream {
        for _ in 0..100 {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port)).await {
                return stream;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the sidecar does not listen");
    }

    async fn fence(&self, instance: &str) -> WholeFenceReader {
        let mut stream = self.connect().await;
        let request = format!(
            "GET /fence/{instance} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {WHOLE_TOKEN}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        WholeFenceReader(BufReader::new(stream))
    }

    async fn metric(&self, line: &str) {
        let begun = Instant::now();
        loop {
            let (_, metrics) = self.call("GET", "/metrics", "", "").await;
            if metrics.contains(line) {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(5),
                "{line} is not in {metrics}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn ready(&self) {
        let begun = Instant::now();
        loop {
            let (status, body) = self.call("GET", "/ready", "", "").await;
            if status == 200 {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "not ready: {body}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
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

struct WholeFenceReader(BufReader<TcpStream>);

impl WholeFenceReader {
    /// The next line, past headers and chunk sizes.
    async fn line(&mut self) -> FenceLine {
        loop {
            let mut text = String::new();
            let read = tokio::time::timeout(Duration::from_secs(10), self.0.read_line(&mut text))
                .await
                .unwrap()
                .unwrap();
            assert!(read > 0, "the fence's stream ended");
            if let Ok(line) = serde_json::from_str(&text)
                && text.starts_with('{')
            {
                return line;
            }
        }
    }

    async fn until(&mut self, wanted: impl Fn(&FenceLine) -> bool) -> FenceLine {
        let begun = Instant::now();
        loop {
            let line = self.line().await;
            if wanted(&line) {
                return line;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(15),
                "last line: {line:?}"
            );
        }
    }
}

async fn write_token(conn: &mut mysql_async::Conn, token: u64) {
    let sql = format!(
        "INSERT INTO t_guard.fence_token VALUES ('core-1',{token},{}) ON DUPLICATE KEY UPDATE token=VALUES(token), updated_us=VALUES(updated_us)",
        now_us()
    );
    conn.query_drop(sql).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn fence_breakers_and_standby() {
    let server = TestServer::start("whole", &[]).await;
    server.migrate(&Schemas::under("t").unwrap()).await;
    let kafka = MockCluster::new(1).unwrap();
    for topic in BUSINESS_TOPICS {
        kafka.create_topic(topic, 3, 1).unwrap();
    }
    let brokers = kafka.bootstrap_servers();
    let first = start(&server, &brokers, "one");
    first.ready().await;
    let mut conn = server.conn().await;
    let mut fence = first.fence("core-1").await;
    fence.until(|l| l.blind.is_none()).await;
    let mut took = Vec::new();
    for token in 1..=200_u64 {
        write_token(&mut conn, token).await;
        let begun = Instant::now();
        fence.until(|l| l.token == token).await;
        took.push(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    took.sort();
    println!(
        "token commit to announcement: p50 {:?} p90 {:?} p99 {:?}",
        took[100], took[180], took[198]
    );

    // Kafka away: tokens stand still and the fence says why.
    kafka.broker_down(-1).unwrap();
    fence
        .until(|l| l.blind.as_ref().is_some_and(|b| b.contains("kafka")))
        .await;
    write_token(&mut conn, 201).await;
    assert!(fence.line().await.token < 201);
    kafka.broker_up(-1).unwrap();
    fence.until(|l| l.token == 201 && l.blind.is_none()).await;

    events(&first, &brokers).await;
    violation(&first, &server, &mut fence).await;
    breakers_by_hand(&first).await;
    let second = start(&server, &brokers, "two");
    let mut standby = second.fence("core-1").await;
    standby
        .until(|l| {
            l.blind
                .as_ref()
                .is_some_and(|b| b.contains("lease held by one"))
        })
        .await;
    first.end().await;
    second.ready().await;
    write_token(&mut conn, 203).await;
    standby.until(|l| l.token == 203 && l.blind.is_none()).await;
    let verdicts: Option<i64> = conn
        .query_first("SELECT COUNT(*) FROM t_guard.verdict")
        .await
        .unwrap();
    assert_eq!(
        verdicts,
        Some(1),
        "what is read again must not be found again"
    );
    second.end().await;
}

/// Good events are evaluated, a bad one is set aside, and neither stops the fence.
async fn events(sidecar: &WholeSidecar, brokers: &str) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .create()
        .unwrap();
    for number in 0..10 {
        let payload = if number == 4 {
            "not an event".to_owned()
        } else {
            format!(
                r#"{{"id":"e{number}","type":"payment.succeeded","accountId":"a","bizNo":"b{number}","amount":"1.50","currency":"CNY","occurredUs":1}}"#
            )
        };
        producer
            .send(
                BaseRecord::to(BUSINESS_TOPICS[0])
                    .payload(&payload)
                    .key("a"),
            )
            .unwrap();
    }
    producer.flush(Duration::from_secs(5)).unwrap();
    let begun = Instant::now();
    loop {
        let (_, status) = sidecar.call("GET", "/status", "", "").await;
        if status.contains("\"deadLetters\":1,\"events\":9") && status.contains("business.payment=")
        {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "{status}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// By the time that a token is told, whatever was committed before it has tripped.
async fn violation(sidecar: &WholeSidecar, server: &TestServer, fence: &mut WholeFenceReader) {
    let mut conn = server.conn().await;
    conn.query_drop("INSERT INTO t_balance.balance (account_id,currency,balance,available,reserved,version,updated_us) VALUES ('wrong','CNY',10,5,4,1,0),('right','CNY',10,5,5,1,0)")
        .await
        .unwrap();
    write_token(&mut conn, 202).await;
    fence.until(|l| l.token == 202).await;
    let open: Vec<(String, String)> = conn
        .query("SELECT scope_key, state FROM t_guard.breaker")
        .await
        .unwrap();
    assert_eq!(open, [("wrong".to_owned(), "open".to_owned())]);

    // A wrong file is refused; the last good set stays.
    let file = server.dir().join("rules/broken.rhai");
    std::fs::write(&file, "no header").unwrap();
    sidecar
        .metric("sluice_sidecar_rule_reload_failures_total 1")
        .await;
    assert!(
        sidecar
            .call("GET", "/rules", "", "")
            .await
            .1
            .contains("balance-adds-up")
    );
    std::fs::remove_file(&file).unwrap();
}

async fn breakers_by_hand(sidecar: &WholeSidecar) {
    let why = r#"{"by":"ann","reason":"drill"}"#;
    let cases = [
        (
            "/breakers/cash_out/account/a-1/reset",
            WHOLE_TOKEN,
            why,
            409,
        ),
        ("/breakers/cash_out/account/a-1/trip", "wrong", why, 401),
        (
            "/breakers/cash_out/account/a-1/trip",
            WHOLE_TOKEN,
            r#"{"by":"","reason":"x"}"#,
            400,
        ),
        (
            "/breakers/cash_out/account/a-1/trip",
            WHOLE_TOKEN,
            "{}",
            400,
        ),
        ("/breakers/cash_out/nothing/a-1/trip", WHOLE_TOKEN, why, 400),
        ("/breakers/cash_out/all/a-1/trip", WHOLE_TOKEN, why, 400),
        ("/breakers/cash_out/account/a-1/trip", WHOLE_TOKEN, why, 200),
        ("/breakers/cash_out/account/a-1/trip", WHOLE_TOKEN, why, 200),
        (
            "/breakers/cash_out/account/a-1/reset",
            WHOLE_TOKEN,
            why,
            200,
        ),
        (
            "/breakers/cash_out/account/a-1/reset",
            WHOLE_TOKEN,
            why,
            409,
        ),
        ("/nothing", WHOLE_TOKEN, why, 404),
    ];
    for (path, token, body, want) in cases {
        let (status, answer) = sidecar.call("POST", path, token, body).await;
        assert_eq!(status, want, "{path} {body}: {answer}");
    }
    for (path, part) in [
        ("/breakers", "\"state\":\"closed\""),
        ("/status", "\"role\":\"active\""),
        ("/rules", "\"hash\""),
        ("/verdicts?after_us=0&limit=5", "\"accountId\":\"wrong\""),
        ("/metrics", "sluice_sidecar_lag_seconds"),
        ("/live", "live"),
    ] {
        let (status, answer) = sidecar.call("GET", path, "", "").await;
        assert!(
            status == 200 && answer.contains(part),
            "{path}: {status} {answer}"
        );
    }
    assert_eq!(
        sidecar.call("GET", "/fence/core-1", "wrong", "").await.0,
        401
    );
    assert_eq!(
        sidecar.call("GET", "/verdicts?limit=x", "", "").await.0,
        400
    );
}
