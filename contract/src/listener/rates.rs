//! Rates of clients that have shown who they are, by their names: whatever tokens or
//! signatures they use, and from wherever they come.

use crate::listener::ListenerSettings;
use crate::listener::layers::count_refused;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::num::NonZeroU32;

/// Rates of one listener's clients. Names are those of the settings: there are few.
pub struct ClientRates {
    listener: &'static str,
    rates: DefaultKeyedRateLimiter<String>,
}

impl ClientRates {
    /// Makes the rates of the listener of that name; a burst is a second's worth.
    pub fn new(listener: &'static str, settings: &ListenerSettings) -> Self {
        let per_second = NonZeroU32::new(settings.requests_per_second_per_client);
        let quota = Quota::per_second(per_second.unwrap_or(NonZeroU32::MIN));
        ClientRates {
            listener,
            rates: RateLimiter::keyed(quota),
        }
    }

    /// Counts a request; tells whether the client's rate has room for it. Otherwise there
    /// is room again within a second.
    pub fn has_room(&self, client: &str) -> bool {
        let has_room = self.rates.check_key(&client.to_owned()).is_ok();
        if !has_room {
            count_refused(self.listener, "client_rate");
        }
        has_room
    }
}
