//! The outbox of written state: it waits for the commit of everything found before it.

use crate::state_file::StateToWrite;
use crossbeam_channel::Sender;

/// State that waits for a commit, and the way to its writer.
#[derive(Debug, Default)]
pub struct StateOutbox {
    writer: Option<Sender<StateToWrite>>,
    waiting: Option<StateToWrite>,
}

impl StateOutbox {
    /// An outbox to a writer; without one nothing waits.
    pub fn to(writer: Option<Sender<StateToWrite>>) -> StateOutbox {
        StateOutbox {
            writer,
            waiting: None,
        }
    }

    /// Takes a state whose positions the next checkpoint has.
    pub fn wait(&mut self, state: StateToWrite) {
        self.waiting = self.writer.is_some().then_some(state);
    }

    /// A checkpoint was committed.
    pub fn committed(&mut self) {
        if let (Some(writer), Some(state)) = (&self.writer, self.waiting.take()) {
            // Full: one waits already, and the next is as good.
            let _ = writer.try_send(state);
        }
    }
}
