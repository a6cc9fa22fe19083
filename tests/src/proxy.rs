//! A TCP proxy between a program and its server that can hold its tongue: connections stay
//! open and nothing passes, as when a host or a network vanishes without a FIN.

use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// State of a proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Passage {
    #[default]
    Open,
    /// Shut by the first packet of a client that holds this text; whether that one passes.
    Armed(String, bool),
    Shut,
}

/// A proxy in front of one server; dropped, it closes every connection.
pub struct SilentProxy {
    pub port: u16,
    passage: Arc<watch::Sender<Passage>>,
    _tasks: JoinSet<()>,
}

impl SilentProxy {
    /// Listens on a free port of loopback, for the server at `server_port`.
    pub async fn start(server_port: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let passage = Arc::new(watch::Sender::new(Passage::Open));
        let mut tasks = JoinSet::new();
        let ours = passage.clone();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server_port)).await else {
                    continue;
                };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                connections.spawn(forward(from_client, to_server, ours.clone(), true));
                connections.spawn(forward(from_server, to_client, ours.clone(), false));
            }
        });
        Ok(SilentProxy {
            port,
            passage,
            _tasks: tasks,
        })
    }

    /// Passes the next packet of a client that holds `text`, then nothing on any connection.
    pub fn shut_behind(&self, text: &str) {
        self.passage
            .send_replace(Passage::Armed(text.to_owned(), true));
    }

    /// Passes nothing from the next packet of a client that holds `text`.
    pub fn shut_before(&self, text: &str) {
        self.passage
            .send_replace(Passage::Armed(text.to_owned(), false));
    }

    /// Lets nothing pass from now on.
    pub fn shut(&self) {
        self.passage.send_replace(Passage::Shut);
    }

    /// Lets everything pass again, what was kept first.
    pub fn open(&self) {
        self.passage.send_replace(Passage::Open);
    }

    /// Waits until it has shut.
    pub async fn is_shut(&self) {
        let _ = self
            .passage
            .subscribe()
            .wait_for(|p| *p == Passage::Shut)
            .await;
    }
}

async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    passage: Arc<watch::Sender<Passage>>,
    is_client: bool,
) {
    let mut buffer = vec![0; 64 << 10];
    let mut watched = passage.subscribe();
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if watched.wait_for(|p| *p != Passage::Shut).await.is_err() {
            return;
        }
        let packet = &buffer[..length];
        if is_client && shuts(&passage, packet) == Some(false) {
            let _ = watched.wait_for(|p| *p != Passage::Shut).await;
        }
        if to.write_all(packet).await.is_err() {
            return;
        }
    }
    // A side that hangs up while nothing passes is not heard either.
    let _ = watched.wait_for(|p| *p != Passage::Shut).await;
}

/// Shuts the passage if the packet is the one that it is armed for; returns whether that
/// one still passes.
fn shuts(passage: &watch::Sender<Passage>, packet: &[u8]) -> Option<bool> {
    let mut passes = None;
    passage.send_if_modified(|now| {
        let Passage::Armed(text, last_passes) = now else {
            return false;
        };
        if !packet.windows(text.len()).any(|w| w == text.as_bytes()) {
            return false;
        }
        passes = Some(*last_passes);
        *now = Passage::Shut;
        true
    });
    passes
}
