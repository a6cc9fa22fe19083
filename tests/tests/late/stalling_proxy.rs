//! A proxy in front of a database server that delays its answers, and can hold them back:
//! to its client the server is stalled, though it has done what it was asked for.

use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Delay of every answer: long enough for a test to see what was committed before its
/// client hears of it.
const ANSWER_DELAY: Duration = Duration::from_millis(60);

pub(super) struct StallingProxy {
    pub(super) address: SocketAddr,
    stalled: watch::Sender<bool>,
}

impl StallingProxy {
    /// Listens on a free port, in front of `server`, as `host:port`.
    pub(super) async fn start(server: String) -> anyhow::Result<StallingProxy> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (stalled, seen) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(upstream) = TcpStream::connect(&server).await else {
                    continue;
                };
                let _ = (client.set_nodelay(true), upstream.set_nodelay(true));
                let (client_read, client_write) = client.into_split();
                let (server_read, server_write) = upstream.into_split();
                let never = watch::channel(false).1;
                tokio::spawn(forward(client_read, server_write, Duration::ZERO, never));
                tokio::spawn(forward(
                    server_read,
                    client_write,
                    ANSWER_DELAY,
                    seen.clone(),
                ));
            }
        });
        Ok(StallingProxy { address, stalled })
    }

    /// Holds every answer back, or lets them go.
    pub(super) fn stall(&self, stalled: bool) {
        self.stalled.send_replace(stalled);
    }
}

async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    delay: Duration,
    mut stalled: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        // A sender that is gone holds nothing back any more.
        let _ = stalled.wait_for(|stalled| !stalled).await;
        to.write_all(&buffer[..read]).await?;
    }
}
