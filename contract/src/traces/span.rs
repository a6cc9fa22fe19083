//! Spans. While traces are off, or a trace is not sampled, one costs a branch.

use crate::traces::export::tracer;
use crate::traces::{TraceField, TraceParent};
use opentelemetry::trace::{Link, Span as _, SpanBuilder, SpanKind, TraceContextExt, Tracer as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::Span;
use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Span under way; it ends when it is dropped.
#[must_use = "a span that nobody holds ends at once"]
#[derive(Debug, Default)]
pub struct TraceSpan(Option<Box<RecordingSpan>>);

/// Span that will be exported.
#[derive(Debug)]
struct RecordingSpan {
    span: Span,
    /// Of what is over already.
    ended_us: Option<i64>,
}

impl Drop for RecordingSpan {
    fn drop(&mut self) {
        if let Some(ended_us) = self.ended_us {
            self.span.end_with_timestamp(system_time(ended_us));
        }
    }
}

/// Begin and end of something that is over, in µs since 1970 UTC.
#[derive(Debug, Clone, Copy)]
pub struct SpanTimes {
    pub begun_us: i64,
    pub ended_us: i64,
}

impl TraceSpan {
    /// Begins a span for a request from outside: the caller's trace goes on, or a new one
    /// begins.
    pub fn enter(
        name: impl Into<Cow<'static, str>>,
        kind: SpanKind,
        parent: Option<TraceParent>,
    ) -> Self {
        begin(SpanBuilder::from_name(name).with_kind(kind), parent)
    }

    /// Begins a span in a trace that is exported already; no trace begins with it.
    pub fn within(name: &'static str, kind: SpanKind, parent: Option<TraceParent>) -> Self {
        match parent.filter(TraceParent::is_sampled) {
            Some(_) => begin(SpanBuilder::from_name(name).with_kind(kind), parent),
            None => TraceSpan::default(),
        }
    }

    /// Makes a span of what is over: of a batch's work for one of its orders, known once the
    /// batch is done. `link` is where it came from in a trace of its own.
    pub fn past(
        name: &'static str,
        kind: SpanKind,
        parent: Option<TraceParent>,
        times: SpanTimes,
        link: Option<TraceParent>,
    ) -> Self {
        if parent.is_none_or(|parent| !parent.is_sampled()) {
            return TraceSpan::default();
        }
        let links = link.map(|from| Link::with_context(from.context()));
        let builder = SpanBuilder::from_name(name)
            .with_kind(kind)
            .with_start_time(system_time(times.begun_us))
            .with_links(links.into_iter().collect());
        let mut span = begin(builder, parent);
        if let Some(inner) = &mut span.0 {
            // Told at the drop: fields that are set after the end would be lost.
            inner.ended_us = Some(times.ended_us);
        }
        span
    }

    /// Sets a field.
    pub fn set(&mut self, field: TraceField, value: &str) {
        if let Some(open) = &mut self.0 {
            open.span
                .set_attribute(KeyValue::new(field.name(), value.to_owned()));
        }
    }

    /// Parent of what follows from this span, if it is exported.
    pub fn parent(&self) -> Option<TraceParent> {
        self.0
            .as_ref()
            .map(|open| TraceParent::of(open.span.span_context()))
    }
}

fn begin(builder: SpanBuilder, parent: Option<TraceParent>) -> TraceSpan {
    let Some(tracer) = tracer() else {
        return TraceSpan::default();
    };
    let context = match parent {
        Some(parent) => Context::new().with_remote_span_context(parent.context()),
        None => Context::new(),
    };
    let span = tracer.build_with_context(builder, &context);
    let ended_us = None;
    TraceSpan(
        span.is_recording()
            .then(|| Box::new(RecordingSpan { span, ended_us })),
    )
}

fn system_time(at_us: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(u64::try_from(at_us).unwrap_or(0))
}
