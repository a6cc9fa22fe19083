//! Use of parameters: `param("name")` and the header's `[params]` must agree.

use crate::rules::compile::suggestions::with_suggestions;
use crate::rules::script::tokens::ScriptTokens;
use crate::rules::text::header::RuleHeader;
use std::collections::BTreeSet;

/// `param("name")` must be in the header, and what is there must be asked for.
pub fn check_params(header: &RuleHeader, tokens: &ScriptTokens<'_>) -> Result<(), String> {
    let mut asked = BTreeSet::new();
    for at in 0..tokens.all.len() {
        if !tokens.are(at, &["param", "("]) {
            continue;
        }
        let line = tokens.line(at);
        let Some(name) = tokens.literal(at + 2).filter(|_| tokens.is(at + 3, ")")) else {
            return Err(format!(
                "line {line}: param takes the name written out, such as param(\"most\")"
            ));
        };
        if !header.params.contains_key(name) {
            let known: Vec<&str> = header.params.keys().map(String::as_str).collect();
            return Err(format!(
                "line {line}: [params] has no `{name}`{}",
                with_suggestions(name, &known)
            ));
        }
        asked.insert(name);
    }
    match header
        .params
        .keys()
        .find(|name| !asked.contains(name.as_str()))
    {
        Some(name) => Err(format!(
            "params.{name} is never asked for with param({name:?})"
        )),
        None => Ok(()),
    }
}
