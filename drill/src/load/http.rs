//! A minimal HTTP/1.1 client: prebuilt requests on a kept-alive connection, and
//! answers with a `content-length`. It exists because a general client took as
//! much of the two cores as the server under test.

use bytes::{Buf, BytesMut};
use std::io::{Error, ErrorKind};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const MAX_HEAD_BYTES: usize = 16 << 10;
const MAX_BODY_BYTES: usize = 16 << 20;
/// For `get` and `post`, which people wait for.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// One connection; one request at a time.
pub struct HttpConnection {
    stream: TcpStream,
    buffer: BytesMut,
    /// Bytes of the last answer that are still at the front of the buffer.
    used: usize,
    closing: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct ResponseHead {
    status: u16,
    /// Position of the body.
    length: usize,
    body: usize,
    close: bool,
}

impl HttpConnection {
    pub async fn open(address: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(HttpConnection {
            stream,
            buffer: BytesMut::with_capacity(4096),
            used: 0,
            closing: false,
        })
    }

    /// Sends a whole request; returns status and body. After an error, or when
    /// `is_spent`, the connection is of no more use.
    pub async fn exchange(&mut self, request: &[u8]) -> std::io::Result<(u16, &[u8])> {
        self.buffer.advance(self.used);
        self.used = 0;
        if !self.buffer.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidData,
                "bytes after the last answer",
            ));
        }
        self.stream.write_all(request).await?;
        let head = loop {
            if let Some(head) = parse_head(&self.buffer)? {
                break head;
            }
            self.fill().await?;
        };
        let end = head.length + head.body;
        while self.buffer.len() < end {
            self.fill().await?;
        }
        self.closing = head.close;
        self.used = end;
        Ok((head.status, &self.buffer[head.length..end]))
    }

    /// The server closes after this answer.
    pub fn is_spent(&self) -> bool {
        self.closing
    }

    async fn fill(&mut self) -> std::io::Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err(Error::new(
                ErrorKind::UnexpectedEof,
                "the server closed without an answer",
            ));
        }
        Ok(())
    }
}

fn parse_head(bytes: &[u8]) -> std::io::Result<Option<ResponseHead>> {
    let bad = |what: &str| Error::new(ErrorKind::InvalidData, what.to_owned());
    let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else {
        return if bytes.len() > MAX_HEAD_BYTES {
            Err(bad("the answer's head is too long"))
        } else {
            Ok(None)
        };
    };
    let text =
        std::str::from_utf8(&bytes[..end]).map_err(|_| bad("the answer's head is not text"))?;
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.get(2..5))
        .and_then(|code| code.parse().ok());
    let status: u16 = status.ok_or_else(|| bad("no HTTP/1 status line"))?;
    let (mut length, mut close) = (None, false);
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(
                value
                    .parse()
                    .map_err(|_| bad("content-length is not a number"))?,
            );
        } else if name.eq_ignore_ascii_case("connection") {
            close = value.eq_ignore_ascii_case("close");
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(bad("chunked answers are not read by this client"));
        }
    }
    let body = match (status, length) {
        (204 | 304, _) => 0,
        (_, Some(length)) if length > MAX_BODY_BYTES => return Err(bad("the answer is too long")),
        (_, Some(length)) => length,
        (_, None) => return Err(bad("the answer has no content-length")),
    };
    Ok(Some(ResponseHead {
        status,
        length: end + 4,
        body,
        close,
    }))
}

/// One GET on a connection of its own.
pub async fn get(address: &str, path: &str) -> std::io::Result<(u16, Vec<u8>)> {
    once(
        address,
        format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n").as_bytes(),
    )
    .await
}

/// One POST of JSON on a connection of its own.
pub async fn post(address: &str, path: &str, json: &str) -> std::io::Result<(u16, Vec<u8>)> {
    let length = json.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{json}"
    );
    once(address, request.as_bytes()).await
}

async fn once(address: &str, request: &[u8]) -> std::io::Result<(u16, Vec<u8>)> {
    let exchange = async {
        let mut connection = HttpConnection::open(address).await?;
        connection
            .exchange(request)
            .await
            .map(|(status, body)| (status, body.to_vec()))
    };
    timeout(REQUEST_TIMEOUT, exchange)
        .await
        .unwrap_or_else(|_| Err(Error::new(ErrorKind::TimedOut, "no answer in 30 s")))
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
