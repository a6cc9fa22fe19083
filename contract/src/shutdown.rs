//! The signals that end a program in order: SIGTERM of a supervisor, Ctrl-C of a person.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Returns a token that is cancelled on the first Ctrl-C or SIGTERM. A program that
/// started others waits for it and returns, so that handles are dropped and children
/// stopped. Must be called within a runtime; the error is the system's refusal to hand
/// the signals over.
pub fn interrupted() -> std::io::Result<CancellationToken> {
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let token = CancellationToken::new();
    let cancel = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        cancel.cancel();
    });
    Ok(token)
}
