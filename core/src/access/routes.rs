//! The one table of routes and the grants that they need. A route without a line here is
//! not served.

use crate::config::Grant;

/// Access to a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteAccess {
    /// For clients with this grant.
    Granted(Grant),
    /// For channels, whose messages are signed.
    SignedByChannel,
}

/// One route: a method on a path.
#[derive(Debug, Clone, Copy)]
pub struct RouteRule {
    pub method: &'static str,
    pub path: &'static str,
    pub access: RouteAccess,
}

const fn granted(method: &'static str, path: &'static str, grant: Grant) -> RouteRule {
    RouteRule {
        method,
        path,
        access: RouteAccess::Granted(grant),
    }
}

/// Every route of the public listener. Who may read an order may also say that its end is
/// known, and ask to be notified again: neither moves money.
pub const ROUTES: [RouteRule; 25] = [
    granted("POST", "/withdraw", Grant::Withdraw),
    granted("POST", "/withdraw/submit", Grant::Withdraw),
    granted("POST", "/settlement", Grant::Settle),
    granted("POST", "/refund", Grant::Refund),
    granted("POST", "/deposit", Grant::Deposit),
    granted("GET", "/withdraw", Grant::Read),
    granted("GET", "/withdraw/{id}", Grant::Read),
    granted("GET", "/withdraw/{id}/history", Grant::Read),
    granted("POST", "/withdraw/{id}/cancel", Grant::Cancel),
    granted("POST", "/withdraw/{id}/ack", Grant::Read),
    granted("POST", "/withdraw/{id}/renotify", Grant::Read),
    granted("GET", "/settlement/{id}", Grant::Read),
    granted("GET", "/settlement/{id}/history", Grant::Read),
    granted("POST", "/settlement/{id}/cancel", Grant::Cancel),
    granted("POST", "/settlement/{id}/ack", Grant::Read),
    granted("POST", "/settlement/{id}/renotify", Grant::Read),
    granted("GET", "/refund/{id}", Grant::Read),
    granted("GET", "/refund/{id}/history", Grant::Read),
    granted("POST", "/refund/{id}/cancel", Grant::Cancel),
    granted("POST", "/refund/{id}/ack", Grant::Read),
    granted("POST", "/refund/{id}/renotify", Grant::Read),
    granted("GET", "/accounts/{id}", Grant::Read),
    granted("GET", "/accounts/{id}/entries", Grant::Read),
    granted("GET", "/accounts/{id}/statement.csv", Grant::Read),
    RouteRule {
        method: "POST",
        path: "/withdraw/notify/{channel}",
        access: RouteAccess::SignedByChannel,
    },
];

/// Finds the access to a path as it is mounted; none if the table has no such line. HEAD
/// is a GET without its body.
pub fn access_of(method: &str, path: &str) -> Option<RouteAccess> {
    let method = if method == "HEAD" { "GET" } else { method };
    let mut rules = ROUTES.iter();
    let rule = rules.find(|r| r.method == method && r.path == path)?;
    Some(rule.access)
}
