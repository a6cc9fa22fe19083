//! Halves by client: two clients may have one number, and each has a partner of its own.

use crate::rules::pair_memory::arrive::{MAX_PARTNERS_COMPARED, PairArrival};
use crate::rules::pair_memory::{KeptSide, PairMemory};

/// Halves of one key, the newest, among which those of a half's client and account are
/// looked for: users of one client may all have one number, and a flood of it must not cost
/// its square.
pub(crate) const MAX_HALVES_SEARCHED: usize = 1_000;

impl PairMemory {
    /// The client of a half, if it names one and the rule asks.
    pub(super) fn client_of(&self, new: &PairArrival<'_>) -> Option<Box<str>> {
        let named = new.paired.client().filter(|_| self.terms.per_client)?;
        Some(named.into())
    }

    /// Partners that may be this client's; those of its own account, if there are any. A half
    /// that names no client is the one's of whose half for the same account it meets first:
    /// of several that wait, the one that came first. Another account's is a stranger's:
    /// they are compared, but say nothing about whose the half is.
    pub(super) fn own_partners(
        &mut self,
        side: usize,
        new: &PairArrival<'_>,
        client: &mut Option<Box<str>>,
    ) -> Vec<u64> {
        let mut ids = self.logs[side].chain(new.key, MAX_HALVES_SEARCHED);
        let account = new.paired.account();
        let kept = |id: &u64| self.logs[side].get(*id).map(|item| &item.value);
        let may_be_its = |half: &KeptSide| half.client.is_none() || client.is_none();
        ids.retain(|id| kept(id).is_some_and(|h| may_be_its(h) || h.client == *client));
        let is_same = |id: &u64| kept(id).is_some_and(|half| half.paired.account() == account);
        let of_account = ids.iter().any(is_same);
        if of_account {
            ids.retain(is_same);
        }
        // Cut last: else halves of others would hide its own.
        ids.truncate(MAX_PARTNERS_COMPARED);
        let mut ids = self.partners(side, ids);
        let client_at = |id: &u64| kept(id).and_then(|half| half.client.clone());
        let named = ids.iter().find_map(client_at);
        if client.is_none() {
            ids.retain(|id| client_at(id).is_none_or(|of| Some(of) == named));
        }
        if of_account {
            match (&client, named) {
                (None, named) => *client = named,
                (Some(_), Some(_)) => {}
                (Some(_), None) => {
                    if let Some(half) = ids.first().and_then(|id| self.logs[side].get_mut(*id)) {
                        half.value.client.clone_from(client);
                    }
                }
            }
        }
        ids
    }
}
