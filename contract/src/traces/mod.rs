//! Threads by which one request is followed through all programs: its correlation id,
//! always, and its trace, if traces are on and it is sampled.
//!
//! | part | file |
//! |---|---|
//! | id for logs, rows and headers, from the caller or fresh | `correlation` |
//! | W3C `traceparent`, read and written | `trace_parent` |
//! | both, of the request under way; kept with what it leads to | `request_origin` |
//! | spans; their fields are listed, so that no account gets into one | `span`, `field` |
//! | export over OTLP, bounded in memory and time | `export`, `exporter` |

mod correlation;
mod export;
mod exporter;
mod field;
mod request_origin;
mod settings;
mod span;
mod trace_parent;

pub use crate::traces::correlation::{CORRELATION_HEADER, CorrelationId};
pub use crate::traces::export::{TraceExport, is_on, start};
pub use crate::traces::field::TraceField;
pub use crate::traces::request_origin::RequestOrigin;
pub use crate::traces::settings::TraceSettings;
pub use crate::traces::span::{SpanTimes, TraceSpan};
pub use crate::traces::trace_parent::{TRACEPARENT_HEADER, TraceParent};
pub use opentelemetry::trace::SpanKind;
