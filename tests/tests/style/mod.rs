//! The rules of the house that a machine can hold. Each check has a bad sample that it
//! must refuse.

mod documents;
mod import_paths;
mod imports;
mod layers;
mod names;
mod sizes;
mod source;
