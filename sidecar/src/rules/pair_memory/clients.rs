//! Halves by client: two clients may have one number, and each has a partner of its own.

use crate::rules::pair_memory::arrive::{MAX_PARTNERS_COMPARED, PairArrival};
use crate::rules::pair_memory::{KeptSide, PairMemory};

impl PairMemory {
    /// The client of a half, if it names one and the rule asks.
    pub(super) fn client_of(&self, new: &PairArrival<'_>) -> Option<Box<str>> {
        let named = new.paired.client().filter(|_| self.terms.per_client)?;
        Some(named.into())
    }

    /// Partners that may be this client's; those of its own account, if there are any. A half
    /// that names no client is the one's that it meets first: of several that wait, the one
    /// that came first.
    pub(super) fn own_partners(
        &mut self,
        side: usize,
        new: &PairArrival<'_>,
        client: &mut Option<Box<str>>,
    ) -> Vec<u64> {
        let mut ids = self.logs[side].chain(new.key, MAX_PARTNERS_COMPARED);
        let account = new.paired.account();
        let kept = |id: &u64| self.logs[side].get(*id).map(|item| &item.value);
        let may_be_its = |half: &KeptSide| half.client.is_none() || client.is_none();
        ids.retain(|id| kept(id).is_some_and(|h| may_be_its(h) || h.client == *client));
        let is_same = |id: &u64| kept(id).is_some_and(|half| half.paired.account() == account);
        if ids.iter().any(is_same) {
            ids.retain(is_same);
        }
        let mut ids = self.partners(side, ids);
        let client_at = |id: &u64| kept(id).and_then(|half| half.client.clone());
        match client {
            None => {
                *client = ids.iter().find_map(client_at);
                let chosen = client.clone();
                ids.retain(|id| client_at(id).is_none_or(|of| Some(of) == chosen));
            }
            Some(_) if ids.iter().any(|id| client_at(id).is_some()) => {}
            Some(_) => {
                if let Some(half) = ids.first().and_then(|id| self.logs[side].get_mut(*id)) {
                    half.value.client.clone_from(client);
                }
            }
        }
        ids
    }
}
