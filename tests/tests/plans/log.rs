//! The server's general log: which statements a core sends, each once by its shape.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use std::collections::BTreeMap;

pub(super) async fn begin(conn: &mut Conn) -> anyhow::Result<()> {
    conn.query_drop("SET GLOBAL log_output='TABLE'").await?;
    conn.query_drop("SET GLOBAL general_log=ON").await?;
    Ok(())
}

pub(super) async fn end(conn: &mut Conn) -> anyhow::Result<()> {
    Ok(conn.query_drop("SET GLOBAL general_log=OFF").await?)
}

/// Statements that read rows, the longest of each shape: its lists are the longest.
pub(super) async fn statements(conn: &mut Conn) -> anyhow::Result<Vec<String>> {
    let sql = "SELECT CONVERT(argument USING utf8mb4) FROM mysql.general_log WHERE command_type IN ('Query','Execute')";
    let logged: Vec<String> = conn.query(sql).await?;
    let mut by_shape: BTreeMap<String, String> = BTreeMap::new();
    for statement in logged.iter().flat_map(|text| split(text)) {
        if reads_rows(&statement) {
            let longest = by_shape.entry(shape(&statement)).or_default();
            if statement.len() > longest.len() {
                *longest = statement;
            }
        }
    }
    Ok(by_shape.into_values().collect())
}

/// Parts of a text between semicolons that are not within quotes. MariaDB logs what was
/// prepared before the log began without its values: a text stands for each.
fn split(text: &str) -> Vec<String> {
    let (mut parts, mut part, mut quoted) = (Vec::new(), String::new(), false);
    for c in text.chars() {
        quoted ^= c == '\'';
        if c == ';' && !quoted {
            parts.push(std::mem::take(&mut part));
        } else if c == '?' && !quoted {
            part.push_str("''");
        } else {
            part.push(c);
        }
    }
    parts.push(part);
    parts.iter().map(|p| p.trim().to_owned()).collect()
}

/// The statement without its values: quoted texts, numbers, and lists of them.
fn shape(statement: &str) -> String {
    let mut out = String::new();
    for (at, part) in statement.split('\'').enumerate() {
        out.push_str(if at % 2 == 0 { part } else { "?" });
    }
    let mut shape = String::new();
    for c in out.chars() {
        let c = if c.is_ascii_digit() { '?' } else { c };
        if !(c == '?' && shape.ends_with('?')) {
            shape.push(c);
        }
    }
    for repeated in [",?", ",(?,?)", " OR (order_id=? AND account_id=?)"] {
        while let Some(at) = shape.find(&repeated.repeat(2)) {
            shape.replace_range(at..at + repeated.len(), "");
        }
    }
    shape
}

fn reads_rows(statement: &str) -> bool {
    let statement = statement.trim_start_matches('(');
    let verb = statement.split(' ').next().unwrap_or_default();
    let of_a_table = match verb {
        "SELECT" | "DELETE" => statement.contains(" FROM "),
        "UPDATE" => true,
        _ => false,
    };
    let own = ["general_log", "information_schema", "refinery_schema"];
    of_a_table && !own.iter().any(|word| statement.contains(word))
}

#[test]
fn a_text_is_split_and_its_values_are_left_out() {
    let parts = split("SELECT a FROM t WHERE b IN ('x;y','z'); UPDATE t SET a=12");
    assert_eq!(parts.len(), 2, "{parts:?}");
    let one = shape("SELECT a FROM t WHERE (b,c) IN (('x','1'),('y','2'),('z','3')) LIMIT 50");
    let other = shape("SELECT a FROM t WHERE (b,c) IN (('q','9'),('r','7')) LIMIT 7");
    assert_eq!(one, other);
    assert!(reads_rows(&parts[0]) && !reads_rows("SELECT 1"));
}
