//! Loading of rule files: all of them or none.

pub mod names;

use crate::rules::runtime::rule_set::CompiledRule;
use crate::rules::text::error::LoadError;
use crate::rules::text::files::{MAX_RULE_BYTES, RuleFile};
use crate::rules::text::header;
use crate::rules::text::library::RuleLibrary;
use crate::rules::text::tables;
use crate::rules::text::tokens::ScriptTokens;
use crate::rules::text::trigger_header::{RequiredSides, Trigger};
use rhai::{AST, Engine};
use std::sync::Arc;

/// Most rules in a set: about 20 KiB each. A rule costs something only on the tables
/// and events that it watches.
pub const MAX_RULES: usize = 10_000;

pub fn compile(
    engine: &Engine,
    library: &RuleLibrary,
    file: &RuleFile,
    hash: String,
    script: impl Fn(&str, &str) -> Result<String, String>,
) -> Result<CompiledRule, LoadError> {
    let name = format!("{}.rhai", file.id);
    let bad = |cause: String, next: &'static str| LoadError {
        file: name.clone(),
        cause,
        next,
    };
    if file.text.len() > MAX_RULE_BYTES {
        let cause = format!(
            "is {} bytes long; a rule has at most {MAX_RULE_BYTES}",
            file.text.len()
        );
        return Err(bad(cause, "split the rule"));
    }
    let mut header = header::parse(&file.id, &file.text)
        .map_err(|e| bad(e, "correct the header and save the file"))?;
    header.mode = file.mode.unwrap_or(header.mode);
    let uncompiled = |e: String| {
        bad(
            format!("can't be compiled: {e}"),
            "correct the rule and save the file",
        )
    };
    let mut ast = engine
        .compile(&file.text)
        .map_err(|e| uncompiled(e.to_string()))?;
    check_functions(&header.trigger, &ast)
        .map_err(|e| bad(e, "define exactly what the trigger calls"))?;
    library
        .check_names(&ast)
        .map_err(|e| bad(e, "give the function another name"))?;
    let tokens = ScriptTokens::of(&file.text);
    names::check(&header, &tokens).map_err(|e| bad(e, "correct the name and save the file"))?;
    let script = script(&name, &file.text).map_err(|e| bad(e, "write it in a simpler way"))?;
    if script != file.text {
        ast = engine
            .compile(&script)
            .map_err(|e| uncompiled(e.to_string()))?;
    }
    let names = tables::tables_named(&file.text);
    let asks = library.asks()
        || ["param", "balance_of"]
            .iter()
            .any(|name| file.text.contains(name));
    Ok(CompiledRule {
        header: Arc::new(header),
        hash,
        candidate: file.candidate,
        names,
        ast,
        asks,
    })
}

fn check_functions(trigger: &Trigger, ast: &AST) -> Result<(), String> {
    let has = |name: &str, arity: usize| {
        ast.iter_functions()
            .any(|f| f.name == name && f.params.len() == arity)
    };
    let check = match trigger {
        Trigger::Row { .. } => ("fn check(row)", 1),
        Trigger::Transaction { .. } => ("fn check(tx)", 1),
        Trigger::Event { .. } => ("fn check(event)", 1),
        Trigger::Audit { .. } => ("fn check(item)", 1),
        Trigger::Window { .. } => ("fn check(row, earlier)", 2),
        Trigger::Pair { .. } => ("fn check(left, right)", 2),
    };
    if !has("check", check.1) {
        return Err(format!("there is no `{}`", check.0));
    }
    match trigger {
        Trigger::Pair { require, .. } if *require != RequiredSides::None && !has("missing", 1) => {
            Err("there is no `fn missing(one)`, which `require` calls".to_owned())
        }
        _ => Ok(()),
    }
}
