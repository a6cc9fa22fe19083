//! The sources as the checks see them: code without comments and texts, items without
//! their tests.

use sluice_tests::top;
use std::path::{Path, PathBuf};

/// Folders that hold the workspace's own Rust.
const SOURCE_FOLDERS: [&str; 7] = [
    "cli/src",
    "contract/src",
    "core/src",
    "drill",
    "sidecar",
    "tests/src",
    "tests/tests",
];

/// One file, its name relative to the checkout.
pub struct Source {
    pub name: String,
    pub text: String,
}

impl Source {
    /// A file that holds tests only.
    pub fn is_test(&self) -> bool {
        let stem = Path::new(&self.name)
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default();
        self.name.starts_with("tests/")
            || self.name.contains("tests/")
            || stem == "tests"
            || stem.ends_with("_tests")
            || stem.starts_with("tests_")
    }

    /// The crate's folder and the path under its `src`: `core`, `saga/driver.rs`.
    pub fn in_crate(&self) -> Option<(&str, &str)> {
        self.name.split_once("/src/")
    }

    /// The code alone, line by line as in the file.
    pub fn code(&self) -> String {
        code_of(&self.text)
    }

    /// The code alone, without what is compiled for tests only.
    pub fn product_code(&self) -> String {
        if self.is_test() {
            String::new()
        } else {
            without_tests(&self.code())
        }
    }
}

/// Every Rust file of the workspace.
pub fn sources() -> Vec<Source> {
    let mut all = Vec::new();
    for part in SOURCE_FOLDERS {
        for path in files(&top().join(part), "rs") {
            let name = path
                .strip_prefix(top())
                .unwrap_or(&path)
                .display()
                .to_string();
            all.push(Source {
                name,
                text: std::fs::read_to_string(&path).unwrap_or_default(),
            });
        }
    }
    assert!(all.len() > 80, "only {} files were found", all.len());
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// Files below a folder whose names end so.
pub fn files(under: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(under).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|e| e == ending) {
            found.push(path);
        }
    }
    found
}

/// A text with comments, strings and characters blanked; lines stay where they are.
pub fn code_of(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match blank_until(&chars, at) {
            Some(end) => end,
            None => {
                code.push(chars[at]);
                at += 1;
                continue;
            }
        };
        code.extend(
            chars[at..end]
                .iter()
                .map(|c| if *c == '\n' { '\n' } else { ' ' }),
        );
        at = end;
    }
    code
}

/// The end of the comment or text that begins here, if one does.
fn blank_until(chars: &[char], at: usize) -> Option<usize> {
    let next = chars.get(at + 1).copied().unwrap_or(' ');
    let before = at.checked_sub(1).map_or(' ', |i| chars[i]);
    let in_word = before.is_alphanumeric() || before == '_';
    match chars[at] {
        '/' if next == '/' => Some(find(chars, at, &['\n'])),
        '/' if next == '*' => Some((find(chars, at + 2, &['*', '/']) + 2).min(chars.len())),
        'r' if !in_word && (next == '"' || next == '#') => raw_text_end(chars, at + 1),
        'b' if !in_word && next == 'r' => raw_text_end(chars, at + 2),
        '"' => Some(quoted_end(chars, at, '"')),
        '\'' if next == '\\' || chars.get(at + 2) == Some(&'\'') => {
            Some(quoted_end(chars, at, '\''))
        }
        _ => None,
    }
}

fn find(chars: &[char], from: usize, what: &[char]) -> usize {
    (from..chars.len())
        .find(|i| chars[*i..].starts_with(what))
        .unwrap_or(chars.len())
}

fn quoted_end(chars: &[char], at: usize, quote: char) -> usize {
    let mut i = at + 1;
    while i < chars.len() && chars[i] != quote {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(chars.len())
}

/// `at` stands behind the `r`, on its first `#` or quote.
fn raw_text_end(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at..].iter().take_while(|c| **c == '#').count();
    if chars.get(at + hashes) != Some(&'"') {
        return None;
    }
    let mut close = vec!['"'];
    close.extend(std::iter::repeat_n('#', hashes));
    Some((find(chars, at + hashes + 1, &close) + close.len()).min(chars.len()))
}

/// Code with each item blanked that is compiled for tests only.
pub fn without_tests(code: &str) -> String {
    let mut left = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        left.push_str(&rest[..at]);
        let end = item_end(&rest[at..]) + at;
        left.extend(rest[at..end].chars().filter(|c| *c == '\n'));
        rest = &rest[end..];
    }
    left.push_str(rest);
    left
}

/// The end of an item: its `;`, or the brace that closes its first one.
fn item_end(code: &str) -> usize {
    let mut depth = 0usize;
    for (at, c) in code.char_indices() {
        match c {
            ';' if depth == 0 => return at + 1,
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

/// The line that a byte stands in, from 1.
pub fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Words of a code with the byte that each begins at.
pub fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = 0;
    std::iter::from_fn(move || {
        let begin = rest + code[rest..].find(is_word)?;
        let length = code[begin..]
            .find(|c| !is_word(c))
            .unwrap_or(code.len() - begin);
        rest = begin + length;
        Some((begin, &code[begin..rest]))
    })
}

#[test]
fn comments_and_texts_are_no_code() {
    let text = "let a = \"b { \\\" c\"; // d\nfn e<'a>() { r#\"f \" g\"#; '{'; '\\''; /* h\n */ }";
    let code = code_of(text);
    assert_eq!(code.lines().count(), text.lines().count());
    let found: Vec<&str> = words(&code).map(|(_, word)| word).collect();
    assert_eq!(found, ["let", "a", "fn", "e", "a"]);
}

#[test]
fn tests_are_no_product() {
    let code =
        "use a;\n#[cfg(test)]\nmod tests {\n fn b() { }\n}\nfn c() {}\n#[cfg(test)]\nmod d;\n";
    let product = without_tests(code);
    assert_eq!(product.lines().count(), code.lines().count());
    let found: Vec<&str> = words(&product).map(|(_, word)| word).collect();
    assert_eq!(found, ["use", "a", "fn", "c"]);
}
