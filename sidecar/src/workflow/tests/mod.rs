//! Edits and steps, without a database.

mod edits;
mod steps;

use crate::rules::RuleFiles;
use crate::workflow::folder_import::RuleFolder;
use crate::workflow::{RuleSetMember, RuleSetVersion};

const NOW_US: i64 = 1_000;

fn rule(id: &str, mode: &str, turn: u32) -> String {
    let header = format!(
        "id = \"{id}\"\nguards = \"g\"\nkind = \"duplicate\"\nseverity = \"minor\"\n\
         mode = \"{mode}\"\nbreaker = \"cash_out/account\"\nowner = \"o\"\nrunbook = \"r\"\n\
         rate_per_hour = 3\n[trigger]\non = \"row\"\ntable = \"balance\"\nops = [\"insert\"]\n"
    );
    let header: String = header.lines().map(|line| format!("//! {line}\n")).collect();
    format!("{header}// {turn}\nfn check(row) {{}}\n")
}

fn folder(files: &[(&str, &str, u32)]) -> RuleFolder {
    let texts = files
        .iter()
        .map(|(id, mode, turn)| (format!("{id}.rhai"), rule(id, mode, *turn)));
    let modes = files
        .iter()
        .map(|(id, mode, _)| ((*id).to_owned(), crate::workflow::mode_of(mode).unwrap()));
    RuleFolder::new(RuleFiles::of(texts.collect()), modes.collect())
}

/// `rule mode`, with a star for a candidate.
fn shown(set: &RuleSetVersion) -> Vec<String> {
    let show = |m: &RuleSetMember| {
        format!(
            "{}{} {}",
            m.rule,
            if m.candidate { "*" } else { "" },
            m.mode.as_str()
        )
    };
    set.members.iter().map(show).collect()
}
