//! Permits of connections: so many in all, so many for one address. A permit is given
//! back when it is dropped.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bits of an IPv6 address that name one network: who has one address there has them all.
const IPV6_NETWORK_MASK: u128 = !0 << 64;

#[derive(Clone)]
pub(super) struct ConnectionPermits(Arc<PermitTable>);

struct PermitTable {
    max: usize,
    max_per_address: usize,
    open: Mutex<OpenConnections>,
}

#[derive(Default)]
struct OpenConnections {
    total: usize,
    by_network: HashMap<IpAddr, usize>,
}

/// The bound that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PermitRefusal {
    Full,
    AddressFull,
}

impl PermitRefusal {
    pub fn as_str(self) -> &'static str {
        match self {
            PermitRefusal::Full => "full",
            PermitRefusal::AddressFull => "address_full",
        }
    }
}

/// The right to one connection.
pub(super) struct ConnectionPermit {
    table: Arc<PermitTable>,
    network: IpAddr,
}

impl ConnectionPermits {
    pub fn new(max: usize, max_per_address: usize) -> Self {
        ConnectionPermits(Arc::new(PermitTable {
            max,
            max_per_address,
            open: Mutex::default(),
        }))
    }

    /// Takes a permit for a connection of `address`.
    pub fn take(&self, address: IpAddr) -> Result<ConnectionPermit, PermitRefusal> {
        let network = network_of(address);
        let mut open = self.0.open();
        if open.total >= self.0.max {
            return Err(PermitRefusal::Full);
        }
        let of_network = open.by_network.entry(network).or_default();
        if *of_network >= self.0.max_per_address {
            return Err(PermitRefusal::AddressFull);
        }
        *of_network += 1;
        open.total += 1;
        Ok(ConnectionPermit {
            table: self.0.clone(),
            network,
        })
    }
}

impl PermitTable {
    /// Held for a look-up, never across an await.
    fn open(&self) -> MutexGuard<'_, OpenConnections> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut open = self.table.open();
        open.total -= 1;
        // No address is remembered that has no connection.
        if let Entry::Occupied(mut of_network) = open.by_network.entry(self.network) {
            *of_network.get_mut() -= 1;
            if *of_network.get() == 0 {
                of_network.remove();
            }
        }
    }
}

/// The address as bounds count it: IPv6 by its /64, IPv4 in IPv6's clothes as itself.
pub(super) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & IPV6_NETWORK_MASK;
            IpAddr::V6(Ipv6Addr::from(network))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_holds_its_share_and_no_more() {
        let permits = ConnectionPermits::new(3, 2);
        let first = permits.take(ip("10.0.0.1")).unwrap_or_else(|_| panic!());
        let _second = permits.take(ip("10.0.0.1"));
        // The same address, as a dual-stack socket shows it.
        let third = permits.take(ip("::ffff:10.0.0.1"));
        assert_eq!(third.err(), Some(PermitRefusal::AddressFull));
        let other = permits.take(ip("10.0.0.2"));
        assert!(other.is_ok());
        assert_eq!(
            permits.take(ip("10.0.0.3")).err(),
            Some(PermitRefusal::Full)
        );
        drop(first);
        assert!(permits.take(ip("10.0.0.1")).is_ok());
        drop(other);
        assert!(!permits.0.open().by_network.contains_key(&ip("10.0.0.2")));
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let permits = ConnectionPermits::new(9, 1);
        let _one = permits.take(ip("2001:db8::1"));
        assert!(permits.take(ip("2001:db8::ffff")).is_err());
        assert!(permits.take(ip("2001:db8:0:1::1")).is_ok());
    }
}
