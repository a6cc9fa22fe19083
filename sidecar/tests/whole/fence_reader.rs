//! A reader of the fence.

use super::*;

pub struct WholeFenceReader(pub BufReader<TcpStream>);

impl WholeFenceReader {
    /// The next line, past headers and chunk sizes.
    pub async fn line(&mut self) -> FenceLine {
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

    pub async fn until(&mut self, wanted: impl Fn(&FenceLine) -> bool) -> FenceLine {
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
