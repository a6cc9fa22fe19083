//! Imports within a crate: the folders have an order, lowest first, and a file imports
//! from folders below its own alone. The composition roots see everything and are seen
//! by nobody.

use crate::style::source::{line_of, sources, words};
use std::collections::{BTreeMap, BTreeSet};

/// Files and folders that put a crate together, by their paths under `src`.
const COMPOSITION_ROOTS: [&str; 5] = ["lib.rs", "main.rs", "context.rs", "shutdown.rs", "service/"];

/// One import: the file, its line and the path as it is written.
#[derive(Clone)]
struct ImportLine {
    from: String,
    to: String,
    place: String,
}

#[test]
fn folders_have_an_order() {
    let mut found = BTreeSet::new();
    for (name, files) in crates() {
        let imports = imports_of(&name, &files);
        assert!(
            files.len() < 40 || imports.len() > 40,
            "{name}: {} imports",
            imports.len()
        );
        found.extend(circles(&imports, &first_folder));
        found.extend(circles(&imports, &own_folder));
    }
    assert!(
        found.is_empty(),
        "\n{}",
        found.into_iter().collect::<Vec<_>>().join("\n\n")
    );
}

#[test]
fn nobody_imports_the_composition_root() {
    let all = crates().into_iter();
    let bad: Vec<String> = all
        .flat_map(|(name, files)| of_roots(&imports_of(&name, &files)))
        .collect();
    assert!(bad.is_empty(), "imports of a composition root: {bad:#?}");
}

/// Imports of what puts the crate together.
fn of_roots(imports: &[ImportLine]) -> Vec<String> {
    imports
        .iter()
        .filter(|import| is_root(&import.to))
        .map(|import| import.place.clone())
        .collect()
}

/// Product code by crate and by path under `src`.
fn crates() -> BTreeMap<String, BTreeMap<String, String>> {
    let mut crates: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        if let Some((name, path)) = source.in_crate() {
            let files = crates.entry(name.to_owned()).or_default();
            files.insert(path.to_owned(), source.product_code());
        }
    }
    assert!(crates.len() >= 4, "only {:?}", crates.keys());
    crates
}

fn is_root(path: &str) -> bool {
    COMPOSITION_ROOTS
        .iter()
        .any(|root| path == *root || root.ends_with('/') && path.starts_with(root))
}

/// The imports of a crate's files from each other, those of its roots left out.
fn imports_of(name: &str, files: &BTreeMap<String, String>) -> Vec<ImportLine> {
    let mut imports = Vec::new();
    for (from, code) in files.iter().filter(|(path, _)| !is_root(path)) {
        for (at, path) in crate_paths(from, code) {
            let to = file_of(files, &path);
            if to != *from {
                let line = line_of(code, at);
                let place = format!("{name}/src/{from}:{line} crate::{}", path.join("::"));
                imports.push(ImportLine {
                    from: from.clone(),
                    to,
                    place,
                });
            }
        }
    }
    imports
}

/// Paths that begin with `crate`, `super` or a module that the file declares, those of
/// visibilities left out, groups in braces spelt out, each with the byte it begins at.
fn crate_paths(file: &str, code: &str) -> Vec<(usize, Vec<String>)> {
    let mut paths = Vec::new();
    let module = module_of(file);
    for (at, _) in code.match_indices("crate::") {
        if !follows_word(code, at) && !code[..at].ends_with("(in ") {
            spell_out(&code[at + 7..], &[], &mut |path| paths.push((at, path)));
        }
    }
    for (at, _) in code.match_indices("super::") {
        if !follows_word(code, at) && !code[..at].ends_with("super::") {
            let levels = code[at..]
                .split("super::")
                .take_while(|part| part.is_empty())
                .count();
            let levels = levels.clamp(1, module.len());
            let base = &module[..module.len() - levels];
            let rest = &code[at + 7 * levels..];
            spell_out(rest, base, &mut |path| paths.push((at, path)));
        }
    }
    for child in declared_modules(code) {
        for (at, _) in code.match_indices(&format!("{child}::")) {
            if !follows_word(code, at) && !code[..at].ends_with(':') {
                spell_out(&code[at..], &module, &mut |path| paths.push((at, path)));
            }
        }
    }
    paths
}

/// Modules that a file declares: `mod name;`.
fn declared_modules(code: &str) -> Vec<&str> {
    let all: Vec<(usize, &str)> = words(code).collect();
    let declared = all.windows(2).filter(|pair| pair[0].1 == "mod");
    declared
        .filter(|pair| code[pair[1].0 + pair[1].1.len()..].starts_with(';'))
        .map(|pair| pair[1].1)
        .collect()
}

fn follows_word(code: &str, at: usize) -> bool {
    code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$')
}

/// `core/src/saga/driver.rs` is the module `saga::driver`, a `mod.rs` its folder's.
fn module_of(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').map(str::to_owned).collect()
}

/// Calls back with every path of an import's tree.
fn spell_out(code: &str, base: &[String], found: &mut impl FnMut(Vec<String>)) {
    let code = code.trim_start();
    if let Some(group) = code.strip_prefix('{') {
        for part in group_parts(group) {
            spell_out(part, base, found);
        }
        return;
    }
    let end = code
        .find(|c: char| !(c.is_alphanumeric() || c == '_'))
        .unwrap_or(code.len());
    let mut path = base.to_vec();
    if end > 0 && &code[..end] != "self" {
        path.push(code[..end].to_owned());
    }
    match code[end..].strip_prefix("::") {
        Some(rest) if end > 0 => spell_out(rest, &path, found),
        _ => found(path),
    }
}

/// Parts of a group up to its closing brace, split at its own commas.
fn group_parts(group: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut begin) = (0usize, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                if !group[begin..at].trim().is_empty() {
                    parts.push(&group[begin..at]);
                }
                begin = at + 1;
                if c == '}' {
                    return parts;
                }
            }
            _ => {}
        }
    }
    parts
}

/// The file that a path's module is written in: the longest beginning that is one.
fn file_of(files: &BTreeMap<String, String>, path: &[String]) -> String {
    (1..=path.len())
        .rev()
        .map(|length| path[..length].join("/"))
        .flat_map(|module| [format!("{module}.rs"), format!("{module}/mod.rs")])
        .find(|file| files.contains_key(file))
        .unwrap_or_else(|| "lib.rs".to_owned())
}

/// `saga` of `saga/driver.rs`; a file beside `lib.rs` is alone.
fn first_folder(file: &str) -> String {
    file.split_once('/')
        .map_or(file, |(folder, _)| folder)
        .to_owned()
}

/// `rules/text` of `rules/text/header.rs`.
fn own_folder(file: &str) -> String {
    file.rsplit_once('/')
        .map_or(file, |(folder, _)| folder)
        .to_owned()
}

/// The shortest circle through each folder, each step with an import that makes it.
fn circles(imports: &[ImportLine], folder: &dyn Fn(&str) -> String) -> BTreeSet<String> {
    let mut steps: BTreeMap<String, BTreeMap<String, &str>> = BTreeMap::new();
    for import in imports {
        let (from, to) = (folder(&import.from), folder(&import.to));
        if from != to && to != "lib.rs" {
            steps
                .entry(from)
                .or_default()
                .entry(to)
                .or_insert(&import.place);
        }
    }
    let ways = steps.keys().filter_map(|start| shortest_way(&steps, start));
    let first_is_least = ways.filter(|way| way.iter().all(|other| *other >= way[0]));
    first_is_least
        .map(|way| {
            let lines = way
                .windows(2)
                .map(|step| format!("  {}", steps[&step[0]][&step[1]]));
            format!(
                "{}\n{}",
                way.join(" → "),
                lines.collect::<Vec<_>>().join("\n")
            )
        })
        .collect()
}

/// The shortest way from a folder back to itself.
fn shortest_way(
    steps: &BTreeMap<String, BTreeMap<String, &str>>,
    start: &str,
) -> Option<Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut ways = vec![vec![start.to_owned()]];
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            let here = way.last().map_or("", String::as_str);
            for next in steps.get(here).into_iter().flat_map(BTreeMap::keys) {
                let mut on = way.clone();
                on.push(next.clone());
                if next == start {
                    return Some(on);
                }
                if seen.insert(next.clone()) {
                    longer.push(on);
                }
            }
        }
        ways = longer;
    }
    None
}

fn sample(files: &[(&str, &str)]) -> Vec<String> {
    let files = files
        .iter()
        .map(|(path, code)| ((*path).to_owned(), (*code).to_owned()));
    let imports = imports_of("core", &files.collect());
    let mut found = circles(&imports, &first_folder);
    found.extend(circles(&imports, &own_folder));
    found.into_iter().collect()
}

#[test]
fn a_circle_is_found_and_printed_with_its_imports() {
    let two = sample(&[
        ("a/mod.rs", "use crate::{c::D, b::{self, e::F}};"),
        ("b/e.rs", "\nfn g() { crate::a::h() }"),
        ("c.rs", ""),
    ]);
    let printed =
        "a → b → a\n  core/src/a/mod.rs:1 crate::b::e::F\n  core/src/b/e.rs:2 crate::a::h";
    assert_eq!(two, [printed]);
    let nested = sample(&[
        ("a/mod.rs", "mod b;\npub use b::c::D;"),
        ("a/b/c.rs", "use super::super::E;"),
    ]);
    assert!(
        nested.len() == 1 && nested[0].starts_with("a → a/b → a"),
        "{nested:?}"
    );
}

#[test]
fn an_order_is_no_circle() {
    let files = [
        ("a/mod.rs", "use crate::b::c; use super::super::outside;"),
        ("a/d.rs", "use crate::a::E; use super::f;"),
        (
            "b/c.rs",
            "use super::g::H; pub(in crate::a) fn seen_there() {}",
        ),
        ("b/g.rs", "use crate::b::c::I; pub fn supercrate() {}"),
        ("service/mod.rs", "use crate::a; use crate::b;"),
    ];
    assert!(sample(&files).is_empty());
    let files = [
        ("a.rs", "use crate::service::run;"),
        ("service/mod.rs", "use crate::a;"),
    ];
    let files = files.map(|(path, code)| (path.to_owned(), code.to_owned()));
    let bad = of_roots(&imports_of("core", &files.into()));
    assert_eq!(bad, ["core/src/a.rs:1 crate::service::run"]);
}
