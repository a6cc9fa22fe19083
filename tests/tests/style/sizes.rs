//! Sizes: files, functions, folders, lines.

use crate::style::source::{Source, line_of, sources, words};
use sluice_tests::top;

const MAX_FILE_LINES: usize = 500;
const MAX_MEDIAN_LINES: usize = 130;
const MAX_FUNCTION_LINES: usize = 70;
const MAX_LEVELS: usize = 2;
const MAX_COLUMNS: usize = 100;

#[test]
fn files_are_small() {
    let long: Vec<String> = sources().iter().filter_map(too_long).collect();
    assert!(long.is_empty(), "{long:#?}");
}

fn too_long(source: &Source) -> Option<String> {
    let lines = source.text.lines().count();
    (lines > MAX_FILE_LINES).then(|| format!("{} has {lines} lines", source.name))
}

#[test]
#[allow(clippy::print_stdout)]
fn the_median_file_is_small() {
    let lines: Vec<usize> = sources().iter().map(|s| s.text.lines().count()).collect();
    let (count, median) = (lines.len(), median(lines));
    println!("{count} files, the median of {median} lines");
    assert!(
        median <= MAX_MEDIAN_LINES,
        "of {count} files the median has {median} lines"
    );
}

fn median(mut lines: Vec<usize>) -> usize {
    lines.sort_unstable();
    lines.get(lines.len() / 2).copied().unwrap_or(0)
}

#[test]
fn folders_are_two_levels_deep_at_most() {
    for source in sources() {
        let levels = levels(&source);
        assert!(
            levels <= MAX_LEVELS,
            "{} is {levels} levels under src",
            source.name
        );
    }
}

fn levels(source: &Source) -> usize {
    source
        .in_crate()
        .map_or(0, |(_, path)| path.matches('/').count())
}

#[test]
fn functions_are_short() {
    let long: Vec<String> = sources().iter().flat_map(long_functions).collect();
    assert!(long.is_empty(), "{long:#?}");
}

/// Functions that are too long, from `fn` to the brace that ends them.
fn long_functions(source: &Source) -> Vec<String> {
    let code = source.code();
    let mut long = Vec::new();
    let mut is_name = false;
    for (at, word) in words(&code) {
        if is_name && let Some(end) = body_end(&code[at..]) {
            let lines = code[at..at + end].matches('\n').count() + 1;
            if lines > MAX_FUNCTION_LINES {
                let line = line_of(&code, at);
                long.push(format!("{}:{line} {word} has {lines} lines", source.name));
            }
        }
        is_name = word == "fn";
    }
    long
}

/// The end of a function's body; none if it is only declared.
fn body_end(code: &str) -> Option<usize> {
    let mut depth = 0usize;
    let mut brackets = 0usize;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' if depth == 0 => brackets += 1,
            ')' | ']' if depth == 0 => brackets = brackets.saturating_sub(1),
            ';' if depth == 0 && brackets == 0 => return None,
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

#[test]
fn lines_fit_their_columns() {
    let settings = std::fs::read_to_string(top().join("rustfmt.toml")).unwrap();
    let width = format!("max_width = {MAX_COLUMNS}");
    assert!(
        settings.lines().any(|line| line == width),
        "rustfmt.toml lacks {width}"
    );
    let wide: Vec<String> = sources().iter().flat_map(wide_comments).collect();
    assert!(wide.is_empty(), "{wide:#?}");
}

/// Comments that are too wide; the formatter holds the code.
fn wide_comments(source: &Source) -> Vec<String> {
    let comments = source
        .text
        .lines()
        .enumerate()
        .filter(|(_, l)| l.trim().starts_with("//"));
    comments
        .filter(|(_, line)| line.chars().count() > MAX_COLUMNS)
        .map(|(at, line)| {
            format!(
                "{}:{} has {} columns",
                source.name,
                at + 1,
                line.chars().count()
            )
        })
        .collect()
}

fn sample(name: &str, text: String) -> Source {
    Source {
        name: name.to_owned(),
        text,
    }
}

#[test]
fn each_size_can_be_exceeded() {
    assert!(too_long(&sample("a.rs", "\n".repeat(500))).is_none());
    assert!(too_long(&sample("a.rs", "\n".repeat(501))).is_some());
    assert_eq!(median(vec![9, 1, 5]), 5);
    assert_eq!(levels(&sample("core/src/a/b/c.rs", String::new())), 2);
    let long = |lines| {
        format!(
            "fn a(b: [u8; 4]) {{{}}}\ntrait T {{ fn c(); }}",
            "\n".repeat(lines)
        )
    };
    assert!(long_functions(&sample("a.rs", long(69))).is_empty());
    assert_eq!(
        long_functions(&sample("a.rs", long(70))),
        ["a.rs:1 a has 71 lines"]
    );
    assert_eq!(
        wide_comments(&sample("a.rs", format!("// {}", "x".repeat(98)))).len(),
        1
    );
}
