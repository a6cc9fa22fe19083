//! The view that a rule gets of one fact of the at-rest audit.

use crate::rules::text::audit_facts::{FACT_KINDS, fact_fields, fact_name};
use crate::rules::views::values::{RhaiResult, fail, to_dynamic};
use crate::stream::change::AuditFact;
use rhai::{Dynamic, Engine};
use std::sync::Arc;

/// A fact as rules see it; its values are its properties.
#[derive(Debug, Clone)]
pub struct FactView(pub Arc<AuditFact>);

impl FactView {
    /// `places` are where the field is among the values of each kind.
    fn get(&self, field: &str, places: &[Option<usize>; FACT_KINDS.len()]) -> RhaiResult<Dynamic> {
        let at = places.get(self.0.of as usize).copied().flatten();
        match at.and_then(|at| self.0.values.get(at)) {
            Some(value) => to_dynamic(value, field),
            None => fail(format!("{} at rest have no {field}", fact_name(self.0.of))),
        }
    }
}

/// Registers the view, with a property for each field of a fact.
pub fn register(engine: &mut Engine) {
    engine.register_type_with_name::<FactView>("AtRest");
    let mut all: Vec<&str> = FACT_KINDS
        .iter()
        .flat_map(|of| fact_fields(*of))
        .map(|(field, _)| *field)
        .collect();
    all.sort_unstable();
    all.dedup();
    for field in all {
        let places =
            FACT_KINDS.map(|of| fact_fields(of).iter().position(|(name, _)| *name == field));
        engine.register_get(field, move |view: &mut FactView| view.get(field, &places));
    }
}
