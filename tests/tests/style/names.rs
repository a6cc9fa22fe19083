//! Names and words: a type's name once, the field's terms, comments that begin with
//! their noun.

use crate::style::source::{Source, line_of, sources, words};
use std::collections::BTreeMap;

/// Parts of names that have a better word: docs/GLOSSARY.md. Locals and the sentences that
/// name tests may use them.
const FORBIDDEN_WORDS: [&str; 14] = [
    "abdicate", "apart", "aside", "cased", "deposed", "desk", "heard", "journal", "lane", "lanes",
    "recanted", "reign", "told", "unheard",
];

/// Parts of constants that don't say of what: a bound is a `MAX_…`, a time a `…_TIMEOUT`,
/// `…_DELAY` or `…_INTERVAL`.
const FORBIDDEN_IN_CONSTANTS: [&str; 6] = ["AGAIN", "FEW", "LONGEST", "MOST", "PATIENCE", "SILENT"];

/// Words after which a name is declared.
const DECLARING_WORDS: [&str; 9] = [
    "const", "enum", "fn", "mod", "static", "struct", "trait", "type", "union",
];

/// First words that leave a comment without its noun.
const FORBIDDEN_BEGINNINGS: [&str; 11] = [
    "What", "Who", "How", "Where", "It", "Its", "That", "They", "Those", "Such", "So",
];

#[test]
fn a_type_has_its_name_alone() {
    let sources = sources();
    let mut declared: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in &sources {
        for (line, name) in types(&source.code()) {
            declared
                .entry(name)
                .or_default()
                .push(format!("{}:{line}", source.name));
        }
    }
    assert!(
        declared.len() > 300,
        "only {} types were found",
        declared.len()
    );
    declared.retain(|_, places| places.len() > 1);
    assert!(declared.is_empty(), "types of one name: {declared:#?}");
}

/// Types that a module declares, each with its line; those within a function or an
/// `impl` are nobody else's.
fn types(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Vec<bool> = Vec::new();
    let mut begin = 0;
    let all: Vec<(usize, &str)> = words(code).collect();
    let mut word = 0;
    for (at, c) in code.char_indices() {
        while word < all.len() && all[word].0 < at {
            word += 1;
        }
        match c {
            '{' => {
                open.push(opens_module(&code[begin..at]));
                begin = at + 1;
            }
            '}' => {
                open.pop();
                begin = at + 1;
            }
            ';' => begin = at + 1,
            _ => {}
        }
        let declares = all.get(word).is_some_and(|(start, keyword)| {
            *start == at && ["struct", "enum", "trait", "type", "union"].contains(keyword)
        });
        if declares && open.iter().all(|module| *module) && !within_brackets(&code[begin..at]) {
            let name = all.get(word + 1).map_or("", |(_, name)| name);
            found.push((line_of(code, at), name.to_owned()));
        }
    }
    found
}

/// Text before a brace opens a module, or a table of words that makes one enum.
fn opens_module(before: &str) -> bool {
    let before = before.trim_end();
    before.ends_with("string_enum!") || {
        let mut last = before.split_whitespace().rev();
        last.next();
        last.next() == Some("mod")
    }
}

fn within_brackets(code: &str) -> bool {
    code.matches('(').count() > code.matches(')').count()
}

#[test]
fn words_are_the_fields() {
    let bad: Vec<String> = sources().iter().flat_map(forbidden_words).collect();
    assert!(bad.is_empty(), "{} names: {bad:#?}", bad.len());
}

/// Declared names and fields with a word that is not the field's.
fn forbidden_words(source: &Source) -> Vec<String> {
    let code = source.code();
    let mut last = "";
    let mut found = Vec::new();
    for (at, word) in words(&code) {
        let is_sentence = last == "fn" && is_marked_as_test(&code[..at]);
        let is_declared = DECLARING_WORDS.contains(&last) || is_field(&code[at + word.len()..]);
        if is_declared && !is_sentence && last != "let" && is_forbidden(word) {
            found.push(format!("{}:{} {word}", source.name, line_of(&code, at)));
        }
        last = word;
    }
    found
}

/// An attribute above the function whose name begins here says `test`.
fn is_marked_as_test(code: &str) -> bool {
    let item = code.rfind(['}', ';', '{']).map_or(0, |at| at + 1);
    words(&code[item..]).any(|(_, word)| word == "test")
}

/// The text behind a field's or a parameter's name.
fn is_field(rest: &str) -> bool {
    rest.starts_with(':') && !rest.starts_with("::")
}

fn is_forbidden(name: &str) -> bool {
    let snake = snake_case(name);
    snake.starts_with("most_")
        || snake.split('_').any(|part| FORBIDDEN_WORDS.contains(&part))
        || name
            .split('_')
            .any(|part| FORBIDDEN_IN_CONSTANTS.contains(&part))
}

/// `CaseKind`, `CASE_KIND` and `case_kind` are `case_kind`.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    let mut before_is_small = false;
    for c in name.chars() {
        if c.is_uppercase() && before_is_small {
            snake.push('_');
        }
        before_is_small = c.is_lowercase() || c.is_numeric();
        snake.extend(c.to_lowercase());
    }
    snake
}

#[test]
fn comments_begin_with_their_noun() {
    let bad: Vec<String> = sources().iter().flat_map(bad_beginnings).collect();
    assert!(bad.is_empty(), "{} comments: {bad:#?}", bad.len());
}

/// Documentation whose first word stands for something else.
fn bad_beginnings(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_inside = false;
    for (at, line) in source.text.lines().enumerate() {
        let line = line.trim();
        let comment = line
            .strip_prefix("///")
            .or_else(|| line.strip_prefix("//!"));
        if let (Some(comment), false) = (comment, is_inside) {
            let first = comment
                .trim()
                .split(|c: char| !c.is_alphanumeric())
                .next()
                .unwrap_or("");
            if FORBIDDEN_BEGINNINGS.contains(&first) {
                found.push(format!("{}:{} {}", source.name, at + 1, comment.trim()));
            }
        }
        is_inside = comment.is_some();
    }
    found
}

#[test]
fn each_name_can_be_refused() {
    let code = "pub struct A;\nmod b {\n enum C {}\n}\nimpl A { type D = u8; }\nfn e(x: u8) { struct F; }\n\
        string_enum! {\n pub enum G(\"\") { H = \"\" }\n}\npub(crate) type I<T> = J<T>;";
    let named: Vec<String> = types(code).into_iter().map(|(_, name)| name).collect();
    assert_eq!(named, ["A", "C", "G", "I"]);
    for bad in [
        "MOST_ROWS",
        "most_rows",
        "JournalRow",
        "told_us",
        "wasHeard",
        "CASE_ASIDE",
        "QUERY_PATIENCE",
    ] {
        assert!(is_forbidden(bad), "{bad}");
    }
    for good in [
        "almost",
        "outermost",
        "planet",
        "most",
        "desktop",
        "patience_us",
    ] {
        assert!(!is_forbidden(good), "{good}");
    }
    let code = "fn told() { let heard = a::lane::B; let aside: u8 = 1; }\nstruct C { cased: bool }\n#[test]\nasync fn a_lane() {}";
    let source = Source {
        name: "a.rs".to_owned(),
        text: code.to_owned(),
    };
    assert_eq!(forbidden_words(&source), ["a.rs:1 told", "a.rs:2 cased"]);
    let text =
        "//! What it is.\n//! It goes on.\n\n/// Row.\n/// It may.\nfn a() {}\n    /// Its row.";
    let source = Source {
        name: "a.rs".to_owned(),
        text: text.to_owned(),
    };
    assert_eq!(
        bad_beginnings(&source),
        ["a.rs:1 What it is.", "a.rs:7 Its row."]
    );
}
