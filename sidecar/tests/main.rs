//! Every test of the sidecar on real servers as one program: linked once, and its
//! tests run side by side. Hostile rules are a program of their own: it counts every
//! byte that is allocated.

#![allow(clippy::unwrap_used)] // A test may panic.
#![allow(clippy::print_stdout)] // And tell its seed, or what it skips.

mod binlog;
mod commit;
mod envelopes;
mod failover;
mod judge;
mod kafka;
mod kills;
mod lag;
mod leaderships;
mod mysql;
mod odd;
mod server;
mod shadow;
mod shutdown;
mod state;
mod tls;
mod whole;
mod workflow;
