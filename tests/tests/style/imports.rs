//! Imports within a crate: the folders have an order, lowest first, and a file imports
//! from folders below its own alone. The composition roots see everything and are seen
//! by nobody.

use crate::style::import_paths::{crate_paths, file_of, reexports};
use crate::style::source::{line_of, sources};
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
        found.extend(circles(&imports));
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
    let names = reexports(files);
    let mut imports = Vec::new();
    for (from, code) in files.iter().filter(|(path, _)| !is_root(path)) {
        for path in crate_paths(from, code) {
            let to = file_of(files, &names, &path.segments);
            if to != *from && !path.is_reexport_of_own(from) {
                let line = line_of(code, path.at);
                let place = format!(
                    "{name}/src/{from}:{line} crate::{}",
                    path.segments.join("::")
                );
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

/// The steps from each node to those that it imports, each with an import that makes it.
type ImportSteps<'i> = BTreeMap<String, BTreeMap<String, &'i str>>;

/// Circles between folders beside each other, on both levels, and between files of
/// different folders. A folder may import from the one that it lies in, and the reverse:
/// that is a circle only if files make one.
fn circles(imports: &[ImportLine]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for steps in [
        steps_of(imports, &first_folder),
        steps_of(imports, &second_folder),
    ] {
        found.extend(
            steps
                .keys()
                .filter_map(|node| printed(&steps, shortest_way(&steps, node, node)?)),
        );
    }
    let files = steps_of(imports, &|file| Some(file.to_owned()));
    for (from, to) in files
        .iter()
        .flat_map(|(from, steps)| steps.keys().map(move |to| (from, to)))
    {
        if parent(from) != parent(to)
            && let Some(way) = shortest_way(&files, to, from)
        {
            let way = std::iter::once(from.clone()).chain(way).collect();
            found.extend(printed(&files, way));
        }
    }
    found
}

fn steps_of<'i>(
    imports: &'i [ImportLine],
    node: &dyn Fn(&str) -> Option<String>,
) -> ImportSteps<'i> {
    let mut steps = ImportSteps::new();
    for import in imports.iter().filter(|import| import.to != "lib.rs") {
        if let (Some(from), Some(to)) = (node(&import.from), node(&import.to))
            && from != to
        {
            steps
                .entry(from)
                .or_default()
                .entry(to)
                .or_insert(&import.place);
        }
    }
    steps
}

/// `saga` of `saga/driver.rs`; a file beside `lib.rs` is alone.
fn first_folder(file: &str) -> Option<String> {
    file.split('/').next().map(str::to_owned)
}

/// `rules/text` of `rules/text/header.rs`; none of `rules/mod.rs`.
fn second_folder(file: &str) -> Option<String> {
    parent(file)
        .filter(|folder| folder.contains('/'))
        .map(str::to_owned)
}

fn parent(file: &str) -> Option<&str> {
    file.rsplit_once('/').map(|(folder, _)| folder)
}

/// A circle with its imports, once for all of its beginnings.
fn printed(steps: &ImportSteps<'_>, way: Vec<String>) -> Option<String> {
    way.iter().all(|node| *node >= way[0]).then(|| {
        let lines = way
            .windows(2)
            .map(|step| format!("  {}", steps[&step[0]][&step[1]]));
        format!(
            "{}\n{}",
            way.join(" → "),
            lines.collect::<Vec<_>>().join("\n")
        )
    })
}

/// The shortest way of at least one step from one node to another, or back to itself.
fn shortest_way(steps: &ImportSteps<'_>, start: &str, end: &str) -> Option<Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut ways = vec![vec![start.to_owned()]];
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            let here = way.last().map_or("", String::as_str);
            for next in steps.get(here).into_iter().flat_map(BTreeMap::keys) {
                let mut on = way.clone();
                on.push(next.clone());
                if next == end {
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
    circles(&imports_of("core", &files.collect()))
        .into_iter()
        .collect()
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
    assert!(two.contains(&printed.to_owned()), "{two:?}");
    let beside = sample(&[
        ("a/b/c.rs", "use crate::a::d::E;"),
        ("a/d/mod.rs", "use super::b::F;"),
        ("a/b/mod.rs", ""),
    ]);
    assert!(
        beside.len() == 1 && beside[0].starts_with("a/b → a/d → a/b"),
        "{beside:?}"
    );
    let nested = sample(&[
        ("a/mod.rs", "mod b;\nuse b::c::D;"),
        ("a/b/c.rs", "use super::super::E;"),
    ]);
    assert!(
        nested[0].starts_with("a/b/c.rs → a/mod.rs → a/b/c.rs"),
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
        ("e/mod.rs", "mod f;\npub use f::g::H; pub struct I;"),
        ("e/f/g.rs", "use crate::e::I;"),
        ("j.rs", "use crate::e::H;"),
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
