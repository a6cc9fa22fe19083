//! The words of an SQL statement: without comments, quoted text as one, the content of an
//! executable comment as the code that it is.

use crate::binlog::statement::sql_scan::{SqlReadingMode, read};

/// A part of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SqlToken {
    /// In capitals; numbers too.
    Word(String),
    /// In backquotes: a name, never a keyword.
    Name(String),
    /// In quotes: text, or a name if the server says so.
    Text(String),
    Sign(char),
}

/// Every way in which a server may read the statement, by its kind, version and settings;
/// none if there is none.
pub fn readings(statement: &str) -> Vec<Vec<SqlToken>> {
    let choice = |unclear: bool| {
        if unclear {
            vec![true, false]
        } else {
            vec![true]
        }
    };
    let mut all = Vec::new();
    for conditional in choice(statement.contains("/*!") || statement.contains("/*M!")) {
        for backslash in choice(statement.contains('\\')) {
            if let Some(tokens) = read(
                statement,
                SqlReadingMode {
                    conditional,
                    backslash,
                },
            ) && !all.contains(&tokens)
            {
                all.push(tokens);
            }
        }
    }
    all
}

#[cfg(test)]
#[path = "sql_tokens_tests.rs"]
mod tests;
