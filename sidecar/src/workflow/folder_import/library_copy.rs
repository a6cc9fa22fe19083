//! Library copies: a rule with what it calls of the library. The library is edited like
//! a rule, and an armed rule must not change with it: so each rule of a set carries its
//! own copy, and an edit of the library makes candidates of the rules that use it.

/// Between a rule's own text and its copy of the library.
const LIBRARY_MARK: &str = "// ==== the library, as it was when this rule was saved ====";

/// Counts lines of the rule's own text. The last mark counts, since `with_library` wrote it.
pub fn own_lines(text: &str) -> usize {
    text.rfind(LIBRARY_MARK)
        .map_or(usize::MAX, |at| text[..at].matches('\n').count())
}

/// Makes the rule's text, followed by those library files that it needs.
pub fn with_library(text: &str, lib: &[(String, String)]) -> String {
    let mut needed = vec![false; lib.len()];
    let mut calls = vec![text];
    while let Some(caller) = calls.pop() {
        for (at, (_, file)) in lib.iter().enumerate() {
            if !needed[at] && functions(file).any(|name| mentions(caller, name)) {
                needed[at] = true;
                calls.push(file);
            }
        }
    }
    let mut whole = text.to_owned();
    // A mark that the author wrote must not pass for ours.
    if needed.contains(&true) || text.contains(LIBRARY_MARK) {
        whole.push_str(&format!("\n{LIBRARY_MARK}"));
    }
    for ((name, file), _) in lib.iter().zip(needed).filter(|(_, needed)| *needed) {
        whole.push_str(&format!("\n// {name}\n{file}"));
    }
    whole
}

/// Names after `fn`; one in a comment too, which costs a copy and nothing else.
fn functions(file: &str) -> impl Iterator<Item = &str> {
    file.match_indices("fn ").filter_map(|(at, word)| {
        let rest = file[at + word.len()..].trim_start();
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_')?;
        Some(&rest[..end]).filter(|name| !name.is_empty())
    })
}

/// Whether `text` has this very word.
fn mentions(text: &str, word: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_word) && !text[at + word.len()..].starts_with(is_word)
    })
}

#[cfg(test)]
mod tests {
    use crate::workflow::folder_import::library_copy::{LIBRARY_MARK, own_lines, with_library};

    #[test]
    fn a_rule_carries_what_it_calls_and_no_more() {
        let lib = [
            ("lib/a.rhai", "fn one(x) { two(x) }"),
            ("lib/b.rhai", "fn two(x) { x }"),
            ("lib/c.rhai", "fn three() {}"),
        ];
        let lib: Vec<(String, String)> = lib
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .to_vec();
        let text = with_library("fn check(row) { one(row) }", &lib);
        assert!(
            text.starts_with("fn check(row) { one(row) }\n")
                && text.contains("// lib/a.rhai\nfn one"),
            "{text}"
        );
        assert_eq!(own_lines(&text), 1);
        assert!(text.contains("fn two") && !text.contains("three"), "{text}");
        assert_eq!(
            with_library("fn check(row) { someone(row) }", &lib),
            "fn check(row) { someone(row) }"
        );
        let own = format!("{LIBRARY_MARK}\nfn check(row) {{}}");
        assert_eq!(
            (own_lines(&with_library(&own, &lib)), own_lines("x")),
            (2, usize::MAX)
        );
    }
}
