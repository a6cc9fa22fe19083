//! Free ports on loopback.

use anyhow::bail;
use rand::Rng;
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::{Mutex, PoisonError};

/// Below the range from which the kernel takes ports of outgoing connections
/// (32768 and up), so that a restarted server finds its port still free.
const PORT_RANGE: std::ops::Range<u16> = 20_000..32_000;
const MAX_ATTEMPTS: usize = 200;

static GIVEN_PORTS: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port that was free a moment ago and that this process gives out only once.
pub fn free_port() -> anyhow::Result<u16> {
    let mut given = GIVEN_PORTS.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..MAX_ATTEMPTS {
        let port = rand::rng().random_range(PORT_RANGE);
        if !given.contains(&port) && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            given.insert(port);
            return Ok(port);
        }
    }
    bail!(
        "no free port on 127.0.0.1 between {} and {}: stop what holds them",
        PORT_RANGE.start,
        PORT_RANGE.end
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn ports_are_given_out_once() {
        let ports: std::collections::BTreeSet<u16> = (0..50)
            .map(|_| crate::setup::ports::free_port().unwrap())
            .collect();
        assert_eq!(ports.len(), 50);
    }
}
