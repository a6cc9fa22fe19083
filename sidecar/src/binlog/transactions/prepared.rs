//! Prepared XA transactions: what they changed is judged when they are committed, and never
//! if they are rolled back. Until then a restart must read them again.

use crate::binlog::transactions::OpenTransaction;
use ahash::AHashMap;
use anyhow::Context;
use std::sync::Arc;

/// Row changes of all prepared transactions that are held in memory, about 100 MB. Past it
/// the next one is told as changed unseen, and does not wait.
const MAX_PREPARED_CHANGES: usize = 100_000;
/// Transactions held, for the same reason.
const MAX_PREPARED: usize = 4_096;
/// Bytes of an XA event before its name: one-phase flag, format, lengths of both parts.
const XA_EVENT_HEADER_BYTES: usize = 13;

/// The name of an XA transaction, as statements in the binlog write it:
/// `X'7831',X'',1`.
pub type XaName = Box<str>;

/// An `XA PREPARE` event.
pub struct XaPrepared {
    pub name: XaName,
    /// Committed at once, without a second phase.
    pub one_phase: bool,
}

impl XaPrepared {
    /// Reads the body of an event.
    ///
    /// # Errors
    /// A body that is too short.
    pub fn parse(body: &[u8]) -> anyhow::Result<XaPrepared> {
        let (header, parts) = body
            .split_at_checked(XA_EVENT_HEADER_BYTES)
            .context("an XA event is cut short")?;
        let number = |at: usize| {
            let bytes = header.get(at..at + 4).unwrap_or_default();
            bytes
                .iter()
                .rev()
                .fold(0_usize, |n, byte| n << 8 | usize::from(*byte))
        };
        let (format, global, branch) = (number(1), number(5), number(9));
        let parts = parts.get(..global.saturating_add(branch));
        let (global, branch) = parts
            .and_then(|parts| parts.split_at_checked(global))
            .context("an XA event is shorter than it says")?;
        let name = format!(
            "X'{}',X'{}',{format}",
            hex::encode(global),
            hex::encode(branch)
        );
        Ok(XaPrepared {
            name: name.into(),
            one_phase: header.first().is_some_and(|flag| *flag != 0),
        })
    }
}

/// The name in `XA COMMIT X'7831',X'',1`, in the one spelling of `XaName`.
pub fn xa_name(statement: &str) -> XaName {
    let from = statement.find(['X', 'x']).map(|at| at + 1);
    let after_xa = from.and_then(|at| statement.get(at..)).unwrap_or_default();
    let from = after_xa.find(['\'']).unwrap_or(after_xa.len());
    let quoted = after_xa.get(from..).unwrap_or_default();
    let mut name = String::from("X");
    for c in quoted.chars().filter(|c| !c.is_whitespace()) {
        name.push(match c {
            'x' | 'X' => 'X',
            other => other.to_ascii_lowercase(),
        });
    }
    name.into()
}

/// The prepared transactions of one stream that touch watched rows, oldest first.
#[derive(Default)]
pub struct PreparedTransactions {
    by_name: AHashMap<XaName, PreparedTransaction>,
    changes: usize,
    next: u64,
}

struct PreparedTransaction {
    transaction: OpenTransaction,
    position: Arc<str>,
    /// The place among all that were prepared.
    order: u64,
}

impl PreparedTransactions {
    /// Holds one until it ends. Gives it back if there is no room for it.
    #[must_use]
    pub fn hold(
        &mut self,
        name: XaName,
        transaction: OpenTransaction,
        position: Arc<str>,
    ) -> Option<OpenTransaction> {
        // Read again after a new connection: the same.
        self.take(&name);
        let changes = self.changes + transaction.changes.len();
        if changes > MAX_PREPARED_CHANGES || self.by_name.len() >= MAX_PREPARED {
            return Some(transaction);
        }
        self.changes = changes;
        self.next += 1;
        let order = self.next;
        self.by_name.insert(
            name,
            PreparedTransaction {
                transaction,
                position,
                order,
            },
        );
        None
    }

    /// Ends one.
    pub fn take(&mut self, name: &str) -> Option<OpenTransaction> {
        let ended = self.by_name.remove(name)?.transaction;
        self.changes -= ended.changes.len();
        Some(ended)
    }

    /// The position of the oldest: a restart must read from before it.
    pub fn oldest(&self) -> Option<Arc<str>> {
        let oldest = self.by_name.values().min_by_key(|held| held.order);
        oldest.map(|held| Arc::clone(&held.position))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_events_and_statements_are_one() {
        let mut body = vec![0];
        body.extend(1_u32.to_le_bytes());
        body.extend(2_u32.to_le_bytes());
        body.extend(1_u32.to_le_bytes());
        body.extend(b"x1\xff");
        let read = XaPrepared::parse(&body).unwrap();
        assert_eq!((&*read.name, read.one_phase), ("X'7831',X'ff',1", false));
        for statement in [
            "XA COMMIT X'7831',X'ff',1",
            "XA ROLLBACK X'7831', X'FF', 1",
            "xa commit x'7831',x'fF',1",
        ] {
            assert_eq!(xa_name(statement), read.name, "{statement}");
        }
        assert!(XaPrepared::parse(&body[..15]).is_err());
        assert!(XaPrepared::parse(&body[..5]).is_err());
        assert_eq!(&*xa_name("XA COMMIT"), "X");
    }
}
