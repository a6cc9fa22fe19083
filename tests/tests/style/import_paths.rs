//! Paths of a crate's imports: how they are written, and the files that they lead to.

use crate::style::source::words;
use std::collections::BTreeMap;

/// A path within the crate, and the byte that it begins at.
pub struct CratePath {
    pub at: usize,
    pub segments: Vec<String>,
    is_reexport: bool,
}

impl CratePath {
    /// A facade's re-export of a part of its own folder: it gives a name and imports nothing.
    pub fn is_reexport_of_own(&self, file: &str) -> bool {
        let folder = file.strip_suffix("/mod.rs");
        folder.is_some_and(|folder| {
            let own: Vec<&str> = folder.split('/').collect();
            self.is_reexport
                && self.segments.len() > own.len()
                && own.iter().eq(&self.segments[..own.len()])
        })
    }
}

/// Paths that begin with `crate`, `super` or a module that the file declares, those of
/// visibilities left out, groups in braces spelt out, each with the byte it begins at.
pub fn crate_paths(file: &str, code: &str) -> Vec<CratePath> {
    let mut paths = Vec::new();
    let mut add = |at: usize, segments| {
        let is_reexport = code[..at].trim_end().ends_with("pub use");
        paths.push(CratePath {
            at,
            segments,
            is_reexport,
        });
    };
    let module = module_of(file);
    for (at, _) in code.match_indices("crate::") {
        if !follows_word(code, at) && !code[..at].ends_with("(in ") {
            spell_out(&code[at + 7..], &[], &mut |path| add(at, path));
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
            spell_out(rest, base, &mut |path| add(at, path));
        }
    }
    for child in declared_modules(code) {
        for (at, _) in code.match_indices(&format!("{child}::")) {
            if !follows_word(code, at) && !code[..at].ends_with(':') {
                spell_out(&code[at..], &module, &mut |path| add(at, path));
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

/// Names that facades (`mod.rs`) re-export, each with the path that it stands for.
pub type ReexportedNames = BTreeMap<Vec<String>, Vec<String>>;

pub fn reexports(files: &BTreeMap<String, String>) -> ReexportedNames {
    let mut names = ReexportedNames::new();
    for (file, code) in files.iter().filter(|(file, _)| file.ends_with("/mod.rs")) {
        for path in crate_paths(file, code)
            .into_iter()
            .filter(|path| path.is_reexport)
        {
            let mut name = module_of(file);
            name.extend(path.segments.last().cloned());
            names.insert(name, path.segments);
        }
    }
    names
}

/// The file that a path's item is written in: the longest beginning that is a module, once
/// re-exported names are followed.
pub fn file_of(
    files: &BTreeMap<String, String>,
    names: &ReexportedNames,
    path: &[String],
) -> String {
    let real = (1..=path.len()).find_map(|length| names.get(&path[..length]));
    if let Some(real) = real.filter(|real| real.as_slice() != path) {
        return file_of(files, names, real);
    }
    (1..=path.len())
        .rev()
        .map(|length| path[..length].join("/"))
        .flat_map(|module| [format!("{module}.rs"), format!("{module}/mod.rs")])
        .find(|file| files.contains_key(file))
        .unwrap_or_else(|| "lib.rs".to_owned())
}
