//! Panics of shadow: they end no part of the sidecar. A file that somebody saved must not be
//! able to.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs work of shadow; the error is what a panic says.
pub fn contained<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| text_of(&*panic))
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    text.unwrap_or_else(|| "without a text".to_owned())
}
