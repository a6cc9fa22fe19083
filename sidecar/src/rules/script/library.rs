//! Functions that every rule may call: the files of `rules/lib/`, compiled once.

use crate::rules::script::library;
use crate::rules::script::strict_text::{self, SWITCH_VALUE_FN};
use crate::rules::script::tokens::ScriptTokens;
use crate::rules::text::error::LoadError;
use crate::rules::text::files::MAX_RULE_BYTES;
use rhai::{AST, Engine, Module, Scope};
use std::collections::{BTreeMap, BTreeSet};

/// Functions that coverage puts into a copy of a rule's text: see `instrument`.
pub const COVER_CONDITION_FN: &str = "cover_condition";
pub const COVER_ENTERED_FN: &str = "cover_entered";

/// The library's functions by name and number of parameters, with their files.
#[derive(Debug, Default)]
pub struct RuleLibrary {
    functions: BTreeMap<(String, usize), String>,
    asks: bool,
    words: BTreeSet<String>,
}

fn words_of(files: &[(String, String)]) -> BTreeSet<String> {
    let texts = files.iter().map(|(_, text)| ScriptTokens::of(text));
    texts
        .flat_map(|tokens| tokens.words().collect::<Vec<_>>())
        .collect()
}

impl RuleLibrary {
    /// Compiles all files and gives their functions to `engine`. All wrong files are
    /// named.
    pub fn compile(
        engine: &mut Engine,
        files: &[(String, String)],
        script: impl Fn(&str, &str) -> Result<String, String>,
    ) -> Result<RuleLibrary, Vec<LoadError>> {
        let mut library = RuleLibrary {
            asks: files.iter().any(|(_, text)| text.contains("balance_of")),
            words: words_of(files),
            ..Self::default()
        };
        let mut all = AST::empty();
        let mut errors = Vec::new();
        for (name, text) in files {
            let compiled = one(engine, text)
                .and_then(|ast| library.add(name, &ast))
                .and_then(|()| script(name, text));
            let compiled = compiled.and_then(|text| {
                strict_text::compile(engine, &text).map_err(|e| format!("can't be compiled: {e}"))
            });
            match compiled {
                Ok(ast) => all = all.merge(&ast),
                Err(cause) => {
                    errors.push(LoadError {
                        file: name.clone(),
                        cause,
                        next: "correct the library and save the file",
                    });
                }
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        if !library.is_empty() {
            let module = Module::eval_ast_as_new(Scope::new(), &all, engine).map_err(|e| {
                let cause = format!("can't be made: {e}");
                vec![LoadError {
                    file: "lib".to_owned(),
                    cause,
                    next: "correct the library and save the file",
                }]
            })?;
            engine.register_global_module(module.into());
        }
        Ok(library)
    }

    fn add(&mut self, file: &str, ast: &AST) -> Result<(), String> {
        for f in ast.iter_functions() {
            let known = self
                .functions
                .insert((f.name.to_owned(), f.params.len()), file.to_owned());
            if let Some(other) = known {
                return Err(format!(
                    "defines `fn {}` with {} parameters, as {other} does",
                    f.name,
                    f.params.len()
                ));
            }
        }
        Ok(())
    }

    /// All words of its texts.
    pub fn words(&self) -> impl Iterator<Item = String> {
        self.words.iter().cloned()
    }

    pub fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// Whether any of its functions asks for balances.
    pub fn asks(&self) -> bool {
        self.asks
    }

    /// Refuses a rule's functions that would hide one of the library.
    pub fn check_names(&self, ast: &AST) -> Result<(), String> {
        check_reserved(ast)?;
        for f in ast.iter_functions() {
            if let Some(file) = self.functions.get(&(f.name.to_owned(), f.params.len())) {
                return Err(format!(
                    "defines `fn {}` with {} parameters, as {file} does",
                    f.name,
                    f.params.len()
                ));
            }
        }
        Ok(())
    }
}

/// Compiles a library file, which has functions and nothing else.
fn one(engine: &Engine, text: &str) -> Result<AST, String> {
    if text.len() > MAX_RULE_BYTES {
        return Err(format!(
            "is {} bytes long; a library file has at most {MAX_RULE_BYTES}",
            text.len()
        ));
    }
    let ast = strict_text::compile(engine, text).map_err(|e| format!("can't be compiled: {e}"))?;
    check_reserved(&ast)?;
    if let Some(f) = ast
        .iter_functions()
        .find(|f| matches!(f.name, "check" | "missing"))
    {
        return Err(format!("defines `fn {}`, which only a rule has", f.name));
    }
    let tokens = ScriptTokens::of(text);
    let functions = tokens.functions();
    let mut at = 0;
    while at < tokens.all.len() {
        let begins = at + usize::from(tokens.is(at, "private"));
        let function = functions
            .iter()
            .find(|f| f.open > begins && tokens.is(begins, "fn"));
        match function {
            Some(f) => at = f.close + 1,
            None => {
                let (line, word) = (tokens.line(at), tokens.text(at));
                return Err(format!(
                    "line {line}: `{word}` stands outside of any function; a library has functions only"
                ));
            }
        }
    }
    if let Some(at) = (0..tokens.all.len()).find(|at| tokens.are(*at, &["param", "("])) {
        return Err(format!(
            "line {}: a rule's parameters are the rule's own; hand them over",
            tokens.line(at)
        ));
    }
    Ok(ast)
}

/// Functions that a rule or the library must not make its own.
pub const RESERVED_FUNCTIONS: [&str; 6] = [
    "violation",
    "param",
    "balance_of",
    library::COVER_CONDITION_FN,
    library::COVER_ENTERED_FN,
    SWITCH_VALUE_FN,
];

/// Refuses functions that would take the place of what rules are given.
pub(crate) fn check_reserved(ast: &AST) -> Result<(), String> {
    match ast
        .iter_functions()
        .find(|f| RESERVED_FUNCTIONS.contains(&f.name))
    {
        Some(f) => Err(format!(
            "defines `fn {}`, which every rule is given already",
            f.name
        )),
        None => Ok(()),
    }
}
