//! Folders of rule files for tests, and the rules in them.

use crate::rules::Evaluator;
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::text::error::LoadErrors;
use sluice_contract::settings::Secret;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder of rule files, gone when dropped.
pub struct TestRuleFolder(pub PathBuf);

impl TestRuleFolder {
    pub fn of(files: &[(&str, &str)]) -> TestRuleFolder {
        static NEXT_FOLDER: AtomicU32 = AtomicU32::new(0);
        let number = NEXT_FOLDER.fetch_add(1, Ordering::Relaxed);
        let dir =
            std::env::temp_dir().join(format!("sluice-rules-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        for (name, text) in files {
            std::fs::write(dir.join(name), text).unwrap();
        }
        TestRuleFolder(dir)
    }

    pub fn load(&self) -> Result<RuleSet, LoadErrors> {
        RuleSet::load(&self.0, key())
    }

    pub fn evaluator(&self) -> Evaluator {
        Evaluator::new(Arc::new(self.load().unwrap()))
    }
}

impl Drop for TestRuleFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn key() -> Secret {
    Secret::new("a key of tests only")
}

/// A rule in mode `trip` with this trigger and body.
pub fn rule(id: &str, trigger: &str, body: &str) -> String {
    let header = format!(
        "id = {id:?}\nguards = \"tests\"\nkind = \"internal_logic\"\nseverity = \"minor\"\nmode = \"trip\"\n\
         breaker = \"cash_out/account\"\nowner = \"us\"\nrunbook = \"none\"\n[trigger]\n{trigger}"
    );
    let header: String = header.lines().map(|line| format!("//! {line}\n")).collect();
    format!("{header}{body}\n")
}

pub const BALANCE_TRIGGER: &str =
    "on = \"row\"\ntable = \"balance\"\nops = [\"insert\", \"update\"]";

pub fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules")
}

pub fn with_header(text: &str, more: &str) -> String {
    let more: String = more.lines().map(|line| format!("//! {line}\n")).collect();
    text.replacen("//! [trigger]", &format!("{more}//! [trigger]"), 1)
}

pub const WINDOW_TRIGGER: &str = "on = \"window\"\ntable = \"entry\"\nops = [\"insert\"]\nkey = [\"account_id\"]\nspan_ms = 1000\n";
