//! Empty on purpose: see `docs/decisions/001-no-copyleft-in-rhai.md`.
