//! Reads a change feed: partitions by hand, offsets with the verdicts, as for
//! business events. A message that can't be understood makes blind; it is tried again, since
//! a person may mend it.

mod assign;
mod backlog;
mod session;
mod stop;

use crate::debezium::reader::session::FeedSession;
use crate::debezium::reader::stop::FeedStop;
use crate::health::blind::{Blind, BlindCause};
use crate::health::last_activity::LastActivity;
use crate::kafka::settings::KafkaSourceSettings;
use crate::stream::feed::FeedSender;
use crate::stream::position::StartPosition;
use sluice_contract::schema::Schemas;
use std::time::{Duration, Instant};

/// One wait for a message; also how fast cancellation is seen.
pub const POLL_TIMEOUT: Duration = Duration::from_millis(50);
/// An unreadable message is tried again after this.
const UNREADABLE_RETRY_DELAY: Duration = Duration::from_secs(5);
pub struct ChangeFeedReader {
    pub settings: KafkaSourceSettings,
    /// The connector's `topic.prefix`.
    pub prefix: String,
    pub schemas: Schemas,
    pub position: String,
    pub start: StartPosition,
    pub feed: FeedSender,
    pub blind: Blind,
    /// The connector spoke: our own checkpoints come back through it, so that it is never
    /// silent for long.
    pub last_activity: LastActivity,
}

impl ChangeFeedReader {
    /// Reads until cancelled, on its own thread.
    pub fn run(mut self) -> anyhow::Result<()> {
        while !self.feed.is_cancelled() {
            let stopped = self.read();
            match stopped {
                Ok(never) => match never {},
                Err((FeedStop::Cancelled, _)) => return Ok(()),
                Err((FeedStop::Unreadable(why), reached)) => {
                    self.blind.set(BlindCause::Binlog, why);
                    if let Some(position) = reached {
                        self.position = position;
                    }
                    let begun = Instant::now();
                    while begun.elapsed() < UNREADABLE_RETRY_DELAY && !self.feed.is_cancelled() {
                        std::thread::sleep(POLL_TIMEOUT);
                    }
                }
            }
        }
        Ok(())
    }

    fn read(&self) -> Result<std::convert::Infallible, (FeedStop, Option<String>)> {
        let mut run = FeedSession::begin(self).map_err(|stop| (stop, None))?;
        loop {
            if let Err(stop) = run.round() {
                // What is whole goes out whatever came after it.
                let stop = run.flush().err().unwrap_or(stop);
                return Err((stop, run.handed_over()));
            }
        }
    }
}
