//! Lines of a sidecar's fence.

use crate::server::daemon::DAEMON_TOKEN;
use sluice_contract::wire::FenceLine;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// The fence's stream of core `core-1`.
pub struct FenceLineReader(BufReader<TcpStream>);

impl FenceLineReader {
    pub async fn open(port: u16) -> Option<FenceLineReader> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        let request = format!(
            "GET /fence/core-1 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {DAEMON_TOKEN}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.ok()?;
        Some(FenceLineReader(BufReader::new(stream)))
    }

    /// The next line; None if the stream ended.
    pub async fn line(&mut self) -> Option<FenceLine> {
        loop {
            let mut text = String::new();
            let read =
                tokio::time::timeout(Duration::from_secs(10), self.0.read_line(&mut text)).await;
            if !matches!(read, Ok(Ok(1..))) {
                return None;
            }
            if text.starts_with('{')
                && let Ok(line) = serde_json::from_str(&text)
            {
                return Some(line);
            }
        }
    }
}
