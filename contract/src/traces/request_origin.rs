//! Origin of a piece of work: the request that led to it.

use crate::traces::{CORRELATION_HEADER, CorrelationId, TRACEPARENT_HEADER, TraceParent};
use axum::http::HeaderMap;
use std::future::Future;

tokio::task_local! {
    /// Of the request that this task answers.
    static CURRENT_ORIGIN: RequestOrigin;
}

/// Correlation id of the first request, and the parent of what follows in its trace.
/// No part of what is asked: a repeat under another origin is the same request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestOrigin {
    pub correlation: CorrelationId,
    pub parent: Option<TraceParent>,
}

impl RequestOrigin {
    /// Makes the origin of work that nobody asked for.
    pub fn fresh() -> Self {
        RequestOrigin {
            correlation: CorrelationId::fresh(),
            parent: None,
        }
    }

    /// Reads the two headers, of a request or a Kafka message: the caller's own id, else
    /// its trace's id, else a fresh one. What isn't well-formed counts as missing.
    pub fn read(correlation: Option<&str>, traceparent: Option<&str>) -> Self {
        let parent = traceparent.and_then(TraceParent::parse);
        let given = correlation.and_then(CorrelationId::given);
        let of_trace = || CorrelationId::given(&parent?.trace_id());
        RequestOrigin {
            correlation: given.or_else(of_trace).unwrap_or_else(CorrelationId::fresh),
            parent,
        }
    }

    /// Reads the headers of an HTTP request.
    pub fn of_headers(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        RequestOrigin::read(text(CORRELATION_HEADER), text(TRACEPARENT_HEADER))
    }

    /// Runs the work as this origin's.
    pub async fn scope<T>(self, work: impl Future<Output = T>) -> T {
        CURRENT_ORIGIN.scope(self, work).await
    }

    /// Names the origin of the work under way; a fresh one outside of any request.
    pub fn current() -> Self {
        CURRENT_ORIGIN
            .try_with(Clone::clone)
            .unwrap_or_else(|_| RequestOrigin::fresh())
    }

    /// Writes the parent as it is kept with an order: only one whose trace is exported.
    pub fn stored_parent(&self) -> Option<String> {
        let sampled = self.parent.filter(TraceParent::is_sampled);
        sampled.map(|parent| parent.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn ids_by_table() {
        let id = |correlation, parent| RequestOrigin::read(correlation, parent).correlation;
        assert_eq!(id(Some("mine-1"), Some(PARENT)).as_str(), "mine-1");
        for bad in ["", "a b", "a\nb", "ä", &"x".repeat(65)] {
            let of_trace = id(Some(bad), Some(PARENT));
            assert_eq!(of_trace.as_str(), "4bf92f3577b34da6a3ce929d0e0e4736");
            let fresh = id(Some(bad), Some("junk"));
            assert_eq!(fresh.as_str().len(), 32);
            assert_ne!(fresh, id(Some(bad), None), "fresh each time");
        }
    }

    #[test]
    fn only_a_sampled_parent_is_kept() {
        let kept = |parent: &str| RequestOrigin::read(None, Some(parent)).stored_parent();
        assert_eq!(kept(PARENT).as_deref(), Some(PARENT));
        assert_eq!(kept(&PARENT.replace("-01", "-00")), None);
    }

    #[tokio::test]
    async fn the_origin_under_way_is_the_requests_own() {
        let origin = RequestOrigin::read(Some("mine-1"), None);
        let seen = origin.clone().scope(async { RequestOrigin::current() });
        assert_eq!(seen.await, origin);
        assert_ne!(RequestOrigin::current(), origin);
    }
}
