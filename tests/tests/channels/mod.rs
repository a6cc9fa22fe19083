//! Channels as they are: every way of answering, lying, delaying and giving back
//! ends in a clear state, the channel's own book agrees, and several cores on one
//! database never pay twice.

mod kills;
mod manners;
