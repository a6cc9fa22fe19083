//! Suggestions in errors: the nearest name, and all that there are.

/// Lists what there is, the nearest name first.
pub fn with_suggestions(name: &str, known: &[&str]) -> String {
    if known.is_empty() {
        return ": there is none".to_owned();
    }
    format!("{}; there are {}", nearest(name, known), known.join(", "))
}

/// Asks whether the nearest of `known` was meant.
pub fn nearest(name: &str, known: &[&str]) -> String {
    let best = known
        .iter()
        .min_by_key(|k| strsim::damerau_levenshtein(name, k));
    best.map_or_else(String::new, |best| format!(": is it `{best}`?"))
}
