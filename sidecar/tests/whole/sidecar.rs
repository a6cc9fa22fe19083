//! A sidecar on a mock of Kafka.

use super::*;

pub const WHOLE_TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// Of machines that only look.
pub const READ_TOKEN: &str = "read-0123456789abcdef-0123456789";

pub const WHOLE_RULE: &str = r#"//! id = "balance-adds-up"
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

pub struct WholeSidecar {
    pub port: u16,
    pub stop: oneshot::Sender<()>,
    pub ended: JoinHandle<anyhow::Result<()>>,
}

pub fn start(server: &TestServer, brokers: &str, instance: &str) -> WholeSidecar {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let dir = server.dir();
    std::fs::write(dir.join("provenance_key"), "k".repeat(32)).unwrap();
    std::fs::write(dir.join("sidecar_token"), WHOLE_TOKEN).unwrap();
    std::fs::write(dir.join("sidecar_read_token"), READ_TOKEN).unwrap();
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
    pub async fn call(&self, method: &str, path: &str, token: &str, body: &str) -> (u16, String) {
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

    pub async fn connect(&self) -> TcpStream {
        for _ in 0..100 {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port)).await {
                return stream;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the sidecar does not listen");
    }

    pub async fn fence(&self, instance: &str) -> WholeFenceReader {
        let mut stream = self.connect().await;
        let request = format!(
            "GET /fence/{instance} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {WHOLE_TOKEN}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        WholeFenceReader(BufReader::new(stream))
    }

    pub async fn metric(&self, line: &str) {
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

    pub async fn ready(&self) {
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

    pub async fn end(self) {
        self.stop.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(10), self.ended)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }
}
