//! A sidecar whose interface a test calls.

use super::*;

pub struct WorkflowSidecar {
    pub port: u16,
    pub stop: oneshot::Sender<()>,
    pub ended: JoinHandle<anyhow::Result<()>>,
}

pub fn start(server: &TestServer, instance: &str, rules: &Path) -> WorkflowSidecar {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let dir = server.dir();
    std::fs::write(dir.join("provenance_key"), "k".repeat(32)).unwrap();
    std::fs::write(dir.join("sidecar_token"), SIDECAR_TOKEN).unwrap();
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
    pub async fn call(&self, method: &str, path: &str, token: &str, body: &str) -> (u16, Value) {
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

    pub async fn post(&self, path: &str, token: &str, body: Value) -> (u16, Value) {
        self.call("POST", path, token, &body.to_string()).await
    }

    /// Refused, and `part` is among the reasons.
    pub async fn refused(&self, path: &str, token: &str, body: Value, part: &str) {
        let (status, answer) = self.post(path, token, body).await;
        assert!(
            status >= 400 && answer["msg"].as_str().unwrap().contains(part),
            "{part:?} is not in {status} {answer}"
        );
    }

    pub async fn done(&self, path: &str, token: &str, body: Value) -> Value {
        let (status, answer) = self.post(path, token, body).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer["data"].clone()
    }

    pub async fn until<T>(&self, path: &str, wanted: impl Fn(&Value) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            let (_, answer) = self.call("GET", path, SIDECAR_TOKEN, "").await;
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

    pub async fn ready(&self) {
        while self.call("GET", "/ready", "", "").await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the set that is in force is loaded and shows `wanted`; returns the hash of
    /// the version meant.
    pub async fn shows(&self, wanted: &[&str]) -> String {
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

    pub async fn end(self) {
        self.stop.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(10), self.ended)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }
}

pub fn shown(data: &Value) -> Vec<String> {
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
