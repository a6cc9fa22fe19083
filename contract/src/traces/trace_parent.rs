//! W3C `traceparent`: the place in a trace at which the next span is hung up.

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use std::fmt;

/// Header, over HTTP and on Kafka alike.
pub const TRACEPARENT_HEADER: &str = "traceparent";

/// Parent of the next span, as `00-<trace>-<span>-<flags>`, 55 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    trace_id: u128,
    span_id: u64,
    is_sampled: bool,
}

impl TraceParent {
    /// Reads the header's text; `None` if it is none by the W3C's rules (version 00; a
    /// later version may say more behind another dash).
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(5, '-');
        let version = hex_digits(parts.next()?, 2)?;
        let trace_id = hex_digits(parts.next()?, 32)?;
        let span_id = u64::try_from(hex_digits(parts.next()?, 16)?).ok()?;
        let flags = hex_digits(parts.next()?, 2)?;
        let is_whole = parts.next().is_none() || version > 0;
        let is_known = version != 0xff && trace_id != 0 && span_id != 0;
        (is_whole && is_known).then_some(TraceParent {
            trace_id,
            span_id,
            is_sampled: flags & 1 == 1,
        })
    }

    /// Names the trace: 32 hex digits.
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace_id)
    }

    pub fn is_sampled(&self) -> bool {
        self.is_sampled
    }

    pub(super) fn of(context: &SpanContext) -> Self {
        TraceParent {
            trace_id: u128::from_be_bytes(context.trace_id().to_bytes()),
            span_id: u64::from_be_bytes(context.span_id().to_bytes()),
            is_sampled: context.is_sampled(),
        }
    }

    pub(super) fn context(&self) -> SpanContext {
        let flags = TraceFlags::default().with_sampled(self.is_sampled);
        SpanContext::new(
            TraceId::from(self.trace_id),
            SpanId::from(self.span_id),
            flags,
            true,
            TraceState::default(),
        )
    }
}

/// Reads exactly `count` lower-case hex digits.
fn hex_digits(text: &str, count: usize) -> Option<u128> {
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let is_whole = text.len() == count && text.bytes().all(is_hex);
    is_whole
        .then(|| u128::from_str_radix(text, 16).ok())
        .flatten()
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, span, flags) = (self.trace_id, self.span_id, u8::from(self.is_sampled));
        write!(f, "00-{trace:032x}-{span:016x}-{flags:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_by_table() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let good = format!("00-{trace}-{span}-01");
        let read = TraceParent::parse(&good).unwrap();
        assert_eq!(
            (read.to_string(), read.trace_id()),
            (good.clone(), trace.to_owned())
        );
        assert_eq!(TraceParent::of(&read.context()), read);
        assert!(
            !TraceParent::parse(&format!("00-{trace}-{span}-00"))
                .unwrap()
                .is_sampled()
        );
        assert!(TraceParent::parse(&format!("01-{trace}-{span}-01-more")).is_some());
        for wrong in [
            String::new(),
            "-".repeat(9_000),
            format!("ff-{trace}-{span}-01"),
            format!("00-{}-{span}-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("00-{}-{span}-01", trace.to_uppercase()),
            format!("00-{trace}-{span}-01-more"),
            format!("00-{trace}-{span}-1"),
            format!("00-{trace}-+0f067aa0ba902b7-01"),
            format!("00-{trace}-{span}"),
            format!("00-{trace}0-{span}-01"),
            "00-é-é-é".to_owned(),
        ] {
            assert_eq!(TraceParent::parse(&wrong), None, "{wrong}");
        }
    }
}
