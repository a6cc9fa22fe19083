//! Send-by time of a claim: until when its request may go onto the wire. A core that was
//! stalled between claim and call (a paused host, SIGSTOP, a commit that took long) may
//! wake up when another has asked the channel, heard "no such trade" and sent the order
//! again: past the time nothing is sent, and recovery finds the order.
//!
//! The time is looked at twice: before connecting, and when the connection asks for the
//! request's body, which is after connecting and right before the bytes are written.

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use sluice_contract::clock::now_us;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Until when a request may be written. Two clocks, and the earlier one decides: the wall
/// clock goes on while a host sleeps, the monotonic one can't be set back.
#[derive(Debug, Clone, Copy)]
pub struct SendBy {
    wall_us: i64,
    at: Instant,
}

/// The send-by time has passed: nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not sent: its send-by time has passed since the claim; it will be asked for")]
pub struct SendByPassed;

impl SendBy {
    /// Makes the time of a claim made at `claimed_us`, µs since 1970 UTC.
    pub fn after(claimed_us: i64, within: Duration) -> Self {
        let within_us = i64::try_from(within.as_micros()).unwrap_or(i64::MAX);
        SendBy {
            wall_us: claimed_us.saturating_add(within_us),
            at: Instant::now() + within,
        }
    }

    /// The time in µs since 1970 UTC, as the order keeps it.
    pub fn wall_us(&self) -> i64 {
        self.wall_us
    }

    /// # Errors
    /// The time has passed by either clock.
    pub fn check(&self) -> Result<(), SendByPassed> {
        if now_us() > self.wall_us || Instant::now() > self.at {
            return Err(SendByPassed);
        }
        Ok(())
    }
}

/// Body of a payment request: given to the connection while there is time. Without it no
/// channel has a request, since its length is announced and its signature covers it.
pub(super) struct TimedBody {
    bytes: Option<Bytes>,
    send_by: SendBy,
}

impl TimedBody {
    pub(super) fn new(bytes: Vec<u8>, send_by: SendBy) -> Self {
        TimedBody {
            bytes: Some(bytes.into()),
            send_by,
        }
    }
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = SendByPassed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, SendByPassed>>> {
        let Some(bytes) = self.bytes.take() else {
            return Poll::Ready(None);
        };
        Poll::Ready(Some(self.send_by.check().map(|()| Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |b| b.len() as u64))
    }
}
