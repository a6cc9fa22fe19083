//! Results of cases: what fails, and what no case has seen.

use crate::rules::testing::coverage;
use crate::rules::{RuleFile, RuleFiles, run_cases_of};
use crate::workflow::RuleSetMember;
use crate::workflow::folder_import::own_lines;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Texts whose cases are remembered: several sets of the largest size.
const MAX_CACHED_TEXTS: usize = 4_096;

/// Results of cases by text; a text never changes, so each is run once.
#[derive(Debug, Default)]
pub struct CaseResultCache {
    known: Mutex<HashMap<String, Arc<Vec<String>>>>,
    /// One text at a time: many who ask at once must not run the same cases.
    running: tokio::sync::Mutex<()>,
}

impl CaseResultCache {
    /// Lists the cases that fail, and what no case tries.
    ///
    /// # Errors
    /// The cases panicked.
    pub async fn untested(&self, member: &RuleSetMember) -> anyhow::Result<Arc<Vec<String>>> {
        if let Some(known) = self.known(&member.text.hash) {
            return Ok(known);
        }
        let _one_at_a_time = self.running.lock().await;
        if let Some(known) = self.known(&member.text.hash) {
            return Ok(known);
        }
        let found = Arc::new(run(member).await?);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_CACHED_TEXTS {
            known.clear();
        }
        known.insert(member.text.hash.clone(), Arc::clone(&found));
        Ok(found)
    }

    fn known(&self, hash: &str) -> Option<Arc<Vec<String>>> {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(hash)
            .cloned()
    }
}

/// Runs cases on a thread of its own, as it may take a while.
async fn run(member: &RuleSetMember) -> anyhow::Result<Vec<String>> {
    let text = Arc::clone(&member.text);
    let rule = member.rule.clone();
    let ran = tokio::task::spawn_blocking(move || {
        let file = RuleFile {
            id: rule,
            text: text.body.clone(),
            cases: text.cases.clone(),
            mode: None,
            candidate: false,
        };
        let files = RuleFiles {
            rules: vec![file.clone()],
            ..RuleFiles::default()
        };
        let results = match run_cases_of(&files) {
            Ok(results) => results,
            Err(errors) => return vec![errors.to_string()],
        };
        let failed = results.into_iter().filter(|r| !r.passed);
        let failed = failed.map(|r| format!("case {:?}: {}", r.case, r.detail));
        // What the library has besides is its own cases' business.
        let own = own_lines(&file.text);
        let missing = coverage::of(&file, &[])
            .missing
            .into_iter()
            .filter(|m| m.line <= own);
        failed
            .chain(missing.map(|m| format!("no case has seen {m}")))
            .collect()
    });
    Ok(ran.await?)
}
