//! Compilation of one rule: header, functions, names, then the code.

use crate::rules::compile::{names, parse_header};
use crate::rules::runtime::rule_set::CompiledRule;
use crate::rules::script::library::RuleLibrary;
use crate::rules::script::strict_text;
use crate::rules::script::tokens::ScriptTokens;
use crate::rules::text::error::LoadError;
use crate::rules::text::files::{MAX_RULE_BYTES, RuleFile};
use crate::rules::text::tables;
use crate::rules::text::trigger_header::Trigger;
use rhai::{AST, Engine};
use std::sync::Arc;

/// Compiles `file`. `script` turns the text, once checked, into the text that is compiled.
///
/// # Errors
/// Name the file, the first fault found and the next step.
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
    let mut header = parse_header(&file.id, &file.text)
        .map_err(|e| bad(e, "correct the header and save the file"))?;
    header.mode = file.mode.unwrap_or(header.mode);
    let uncompiled = |e: String| {
        bad(
            format!("can't be compiled: {e}"),
            "correct the rule and save the file",
        )
    };
    let mut ast = strict_text::compile(engine, &file.text).map_err(uncompiled)?;
    check_functions(&header.trigger, &ast)
        .map_err(|e| bad(e, "define exactly what the trigger calls"))?;
    library
        .check_names(&ast)
        .map_err(|e| bad(e, "give the function another name"))?;
    let tokens = ScriptTokens::of(&file.text);
    names::check(&header, &tokens).map_err(|e| bad(e, "correct the name and save the file"))?;
    let script = script(&name, &file.text).map_err(|e| bad(e, "write it in a simpler way"))?;
    if script != file.text {
        ast = strict_text::compile(engine, &script).map_err(uncompiled)?;
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
        words: library.words().chain(tokens.words()).collect(),
    })
}

fn check_functions(trigger: &Trigger, ast: &AST) -> Result<(), String> {
    for function in trigger.kind().functions() {
        let arity = function.parameters.len();
        let mut defined = ast.iter_functions();
        if !defined.any(|f| f.name == function.name && f.params.len() == arity) {
            return Err(function.absence.to_owned());
        }
    }
    Ok(())
}
