//! Tests of loading: headers, names, library, parameters, modes, reloads.

mod blind;
mod headers;
mod library;
mod modes;
mod names;
mod parameters;
mod reload;
mod sets;

/// The body of a row rule that finds nothing.
const QUIET_BODY: &str = "fn check(row) {}";
