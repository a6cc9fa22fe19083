//! The verb of a statement.

/// Reads the statement's first words in capitals, comments skipped; what stands in an
/// executable comment counts.
pub fn verb(statement: &str) -> String {
    let mut rest = statement.trim_start();
    loop {
        rest = if let Some(code) = rest
            .strip_prefix("/*!")
            .or_else(|| rest.strip_prefix("/*M!"))
        {
            code.trim_start_matches(|c: char| c.is_ascii_digit())
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").map_or("", |(_, after)| after)
        } else if rest.starts_with("--") || rest.starts_with('#') {
            rest.split_once('\n').map_or("", |(_, after)| after)
        } else {
            break;
        }
        .trim_start();
    }
    let mut words = rest
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|w| !w.is_empty())
        .map(str::to_ascii_uppercase);
    let first = words.next().unwrap_or_default();
    let second = words.next().unwrap_or_default();
    match (first.as_str(), second.as_str()) {
        ("XA", _) | ("ROLLBACK", "TO") => format!("{first} {second}"),
        _ => first,
    }
}

#[cfg(test)]
#[path = "verb_tests.rs"]
mod tests;
