//! Texts cut to their columns.

/// Cuts to `max_chars` characters, never through the middle of one.
pub fn cut(text: &str, max_chars: usize) -> String {
    text.chars().take(max_chars).collect()
}

/// Cuts for ASCII columns: anything else becomes a question mark.
pub(super) fn ascii(text: &str, max_chars: usize) -> String {
    text.chars()
        .take(max_chars)
        .map(|c| if c.is_ascii() { c } else { '?' })
        .collect()
}
