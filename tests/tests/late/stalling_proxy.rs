//! A proxy in front of a database server that can delay its answers and hold them back:
//! to its client the server is stalled, though it has done what it was asked for.

use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Delay of an answer: long enough for a test to see what was committed before its client
/// hears of it.
const ANSWER_DELAY: Duration = Duration::from_millis(200);

/// Treatment of the server's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerFlow {
    Free,
    Delayed,
    /// Held back until the flow is another.
    Stalled,
}

pub(super) struct StallingProxy {
    pub(super) address: SocketAddr,
    flow: watch::Sender<AnswerFlow>,
}

impl StallingProxy {
    /// Listens on a free port, in front of `server`, as `host:port`.
    pub(super) async fn start(server: String) -> anyhow::Result<StallingProxy> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (flow, seen) = watch::channel(AnswerFlow::Free);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(upstream) = TcpStream::connect(&server).await else {
                    continue;
                };
                let _ = (client.set_nodelay(true), upstream.set_nodelay(true));
                let (client_read, client_write) = client.into_split();
                let (server_read, server_write) = upstream.into_split();
                let free = watch::channel(AnswerFlow::Free).1;
                tokio::spawn(forward(client_read, server_write, free));
                tokio::spawn(forward(server_read, client_write, seen.clone()));
            }
        });
        Ok(StallingProxy { address, flow })
    }

    pub(super) fn set(&self, flow: AnswerFlow) {
        self.flow.send_replace(flow);
    }
}

async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut flow: watch::Receiver<AnswerFlow>,
) -> anyhow::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        let now = *flow.borrow();
        if now == AnswerFlow::Delayed {
            tokio::time::sleep(ANSWER_DELAY).await;
        }
        // A sender that is gone holds nothing back any more.
        let _ = flow.wait_for(|flow| *flow != AnswerFlow::Stalled).await;
        to.write_all(&buffer[..read]).await?;
    }
}
