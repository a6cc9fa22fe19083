//! Origins of verdicts: the requests that their transactions name.

use crate::rules::runtime::finding::Finding;
use crate::stream::change::ChangeTransaction;
use crate::stream::origins::{ChangeOrigin, origin_of};
use crate::verdicts::Verdict;
use std::collections::HashMap;
use std::sync::Arc;

/// Names the origins of the findings, by verdict id.
pub fn origins_of<'a>(
    evaluated: impl Iterator<Item = &'a Arc<ChangeTransaction>>,
    findings: &[Finding],
) -> HashMap<String, ChangeOrigin> {
    let mut origins = HashMap::new();
    if findings.is_empty() {
        return origins;
    }
    let by_position: HashMap<&str, &Arc<ChangeTransaction>> =
        evaluated.map(|t| (&*t.position, t)).collect();
    for finding in findings {
        let of = by_position.get(&*finding.position);
        if let Some(origin) = of.and_then(|t| origin_of(t, &finding.account, &finding.item)) {
            origins.insert(finding.verdict_id.clone(), origin);
        }
    }
    origins
}

/// Adds to each verdict the request that it is about, if its transaction names one.
pub fn name_origins(verdicts: &mut [Verdict], mut origins: HashMap<String, ChangeOrigin>) {
    for verdict in verdicts {
        if let Some(origin) = origins.remove(&verdict.verdict_id) {
            verdict.correlation_id = Some(origin.correlation.into_text());
            verdict.trace = origin.parent;
        }
    }
}
