//! The schema and the SQL of core and contract keep to what a sharded engine can do
//! (docs/SHARDING.md), so that a later move only has to run it there. The SQL is read
//! out of the sources: string literals, joined where one statement is put together.

use sluice_tests::top;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Tables of the money path: sharded by account, which leads their keys.
const TABLES_BY_ACCOUNT: [&str; 10] = [
    "orders",
    "attempt",
    "order_transition",
    "balance",
    "capture",
    "entry",
    "outbox",
    "cases",
    "booking_intent",
    "booking_result",
];

/// Tables that are unique by something else, or are no money's: what leads their
/// primary key, and how they are kept.
const OTHER_TABLES: [(&str, &str, &str); 14] = [
    (
        "idempotency",
        "client",
        "sharded by client and key; claimed just before the order's transaction",
    ),
    ("expected_store", "service", "a row per service; replicated"),
    ("store_identity", "name", "one row; replicated"),
    (
        "breaker",
        "point",
        "a short list that every shard reads; replicated",
    ),
    ("breaker_transition", "point", "beside breaker"),
    (
        "verdict",
        "verdict_id",
        "sharded by its id; no transaction with money",
    ),
    (
        "checkpoint",
        "source",
        "a row per change stream, on that shard",
    ),
    ("fence_token", "instance", "a row per core and shard"),
    ("lease", "name", "a row per kind of work; unsharded"),
    (
        "suppression",
        "suppression_id",
        "a short list, beside the verdicts",
    ),
    (
        "audit_run",
        "run_id",
        "a row per run over the data at rest, on the shard that it read",
    ),
    (
        "audit_finding",
        "finding_id",
        "as small as what is wrong, on the shard that it is of",
    ),
    ("gap", "source", "beside checkpoint"),
    (
        "dead_letter",
        "topic",
        "beside checkpoint; the newest few thousand",
    ),
];

/// Families of tables that are kept alike.
const TABLE_FAMILIES: [(&str, &str); 3] = [
    ("route_", "routing's configuration: small, replicated"),
    ("limit_", "sharded by the limit's own key"),
    (
        "rule_",
        "the rule sets: small, replicated, no transaction with money",
    ),
];

/// Reads of money tables without an account, by file and function: each asks all
/// shards, or one by the bucket in an order's id. None of them locks or writes.
const UNSHARDED_READS: [(&str, &str, &str); 18] = [
    (
        "core/src/cases/repo.rs",
        "count_open",
        "a metric, per shard",
    ),
    (
        "core/src/lookup/repo.rs",
        "ids",
        "a person's search by an upstream's id: every shard is asked once",
    ),
    (
        "core/src/orders/repo.rs",
        "find",
        "by order id, which carries its account's bucket: one shard",
    ),
    (
        "core/src/orders/repo.rs",
        "due_to_send",
        "polling, per shard by its own core",
    ),
    (
        "core/src/orders/outbox_repo.rs",
        "outbox_page",
        "the relay, per shard",
    ),
    (
        "core/src/orders/outbox_repo.rs",
        "outbox_backlog",
        "a metric, per shard",
    ),
    (
        "core/src/orders/repo.rs",
        "unfinished",
        "a metric, per shard",
    ),
    (
        "core/src/lookup/repo.rs",
        "load",
        "a person's search: by order ids, which carry their accounts' buckets",
    ),
    (
        "core/src/lookup/repo.rs",
        "of_client",
        "a caller's own list: every shard's page is merged",
    ),
    (
        "core/src/lookup/repo.rs",
        "unfinished",
        "a person's list, per shard",
    ),
    (
        "core/src/lookup/repo.rs",
        "unacknowledged",
        "a person's list, per shard",
    ),
    (
        "core/src/lookup/timeline_repo.rs",
        "oldest_unpublished",
        "a person's look, per shard",
    ),
    (
        "core/src/recovery/repo.rs",
        "channels",
        "polling, per shard",
    ),
    ("core/src/recovery/repo.rs", "waiting", "polling, per shard"),
    (
        "core/src/recovery/repo.rs",
        "unheard",
        "a metric, per shard",
    ),
    (
        "core/src/routing/repo.rs",
        "unrouted",
        "a metric, per shard",
    ),
    (
        "core/src/intents/repo.rs",
        "lease",
        "polling, per shard; what it takes is locked by account",
    ),
    ("core/src/intents/repo.rs", "open", "a metric, per shard"),
];

/// Words that no statement may hold.
const FORBIDDEN_SQL: [&str; 19] = [
    "FOREIGN KEY",
    "REFERENCES",
    "TRIGGER",
    "PROCEDURE",
    "AUTO_INCREMENT",
    "SEQUENCE",
    "REPLACE",
    "RETURNING",
    "XA",
    "CALL",
    "TEMPORARY",
    "OVER",
    "SKIP LOCKED",
    "FOR SHARE",
    "LOCK IN SHARE MODE",
    "JOIN",
    "UNION",
    "LAST_INSERT_ID",
    "LOCK TABLES",
];

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Where `word` stands in `text` as words of its own.
fn find_word(text: &str, word: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    text.match_indices(word).map(|(at, _)| at).find(|at| {
        let after = bytes.get(at + word.len());
        (*at == 0 || !is_word(bytes[at - 1])) && !after.is_some_and(|b| is_word(*b))
    })
}

fn forbidden(text: &str) -> Option<String> {
    let word = FORBIDDEN_SQL
        .into_iter()
        .find(|word| find_word(text, word).is_some())?;
    Some(format!("{word} doesn't work on a sharded engine"))
}

/// One line, quoted texts emptied, no schema before a table.
fn plain(sql: &str) -> String {
    let mut out = String::new();
    for (at, part) in sql.split('\'').enumerate() {
        out.push_str(if at % 2 == 0 { part } else { "''" });
    }
    let mut text = out.split_whitespace().collect::<Vec<_>>().join(" ");
    while let Some(from) = text.find('{') {
        let to = text[from..].find('}').map_or(text.len(), |n| from + n + 1);
        let schema = text[to..].starts_with('.');
        text.replace_range(
            from..to + usize::from(schema),
            if schema { "" } else { "?" },
        );
    }
    text
}

/// The name after `word`.
fn table_after(text: &str, word: &str) -> Option<String> {
    let rest = text[find_word(text, word)? + word.len()..].trim_start();
    Some(
        rest.chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_' || *c == '?')
            .collect(),
    )
}

/// What is wrong with one statement of a program; `free` allows reads without account.
fn complaint(sql: &str, free: bool) -> Option<String> {
    let text = plain(sql);
    if let Some(word) = forbidden(&text) {
        return Some(word);
    }
    if text.matches("SELECT ").count() > 1 && !text.contains(';') {
        return Some("a select within another statement may cross shards".into());
    }
    if let Some((_, set)) = text.split_once("ON DUPLICATE KEY UPDATE")
        && assigns_account(set)
    {
        return Some("the sharding column can't be updated".into());
    }
    let verb = text.split(' ').next().unwrap_or_default();
    let table = match verb {
        "INSERT" => table_after(&text, "INTO"),
        "UPDATE" => table_after(&text, "UPDATE"),
        "SELECT" | "DELETE" => table_after(&text, "FROM"),
        _ => None,
    }?;
    if verb == "INSERT" {
        let after = text[text.find("INTO").unwrap_or(0) + 4..].trim_start();
        let columns = after.strip_prefix(table.as_str()).map(str::trim_start);
        return (!columns.is_some_and(|c| c.starts_with('(')))
            .then(|| "INSERT must name its columns".into());
    }
    let from = text.find("FROM").unwrap_or(0);
    if verb == "SELECT"
        && text[from..]
            .split(" WHERE ")
            .next()
            .unwrap_or_default()
            .contains(',')
    {
        let list = text[from..].split(" ORDER ").next().unwrap_or_default();
        if list
            .split(" WHERE ")
            .next()
            .unwrap_or_default()
            .contains(',')
        {
            return Some("a list of tables is a join".into());
        }
    }
    if verb == "UPDATE" && text.split(" WHERE ").next().is_some_and(assigns_account) {
        return Some("the sharding column can't be updated".into());
    }
    if !TABLES_BY_ACCOUNT.contains(&table.as_str()) {
        return (!is_known(&table))
            .then(|| format!("table {table:?}: say in this test how it is sharded"));
    }
    let named = text
        .split_once(" WHERE ")
        .is_some_and(|(_, condition)| find_word(condition, "account_id").is_some());
    let locks = verb != "SELECT" || find_word(&text, "FOR UPDATE").is_some();
    match (named, locks, free) {
        (true, ..) | (false, false, true) => None,
        (false, true, _) => Some(format!(
            "{verb} on {table} names no account_id: it goes to every shard"
        )),
        (false, false, false) => Some(format!(
            "a read of {table} without account_id is not in ONE_LOOKUP"
        )),
    }
}

fn assigns_account(set: &str) -> bool {
    set.match_indices("account_id").any(|(at, name)| {
        let free = at == 0 || !is_word(set.as_bytes()[at - 1]);
        free && set[at + name.len()..].trim_start().starts_with('=')
    })
}

fn is_known(table: &str) -> bool {
    OTHER_TABLES.iter().any(|(name, ..)| *name == table)
        || TABLE_FAMILIES
            .iter()
            .any(|(family, _)| table.starts_with(family))
}

fn files(under: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(under).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|e| e == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// String literals of Rust code, in order. Raw strings count too; a backslash at a
/// line's end joins the lines.
fn literals(code: &str) -> Vec<String> {
    let (mut found, mut chars) = (Vec::new(), code.chars().peekable());
    let mut before = ' ';
    while let Some(c) = chars.next() {
        match c {
            '/' if chars.peek() == Some(&'/') => {
                chars.by_ref().find(|c| *c == '\n');
            }
            // A quote as a character: '"' or '\''.
            '\'' => {
                let ahead: Vec<char> = chars.clone().take(3).collect();
                match ahead.as_slice() {
                    ['\\', _, '\''] => drop(chars.by_ref().take(3).count()),
                    [_, '\'', ..] => drop(chars.by_ref().take(2).count()),
                    _ => {}
                }
            }
            '"' => found.push(literal(&mut chars, before == '#' || before == 'r')),
            _ => {}
        }
        before = c;
    }
    found
}

fn literal(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, raw: bool) -> String {
    let mut text = String::new();
    while let Some(c) = chars.next() {
        match c {
            '"' if !raw || chars.peek() == Some(&'#') || !text.contains('"') => break,
            '\\' if !raw => match chars.next() {
                Some('\n') => {
                    while chars.peek().is_some_and(|c| c.is_whitespace()) {
                        chars.next();
                    }
                }
                Some(escaped) => text.push(escaped),
                None => {}
            },
            c => text.push(c),
        }
    }
    text
}

const SQL_VERBS: [&str; 9] = [
    "SELECT ", "INSERT ", "UPDATE ", "DELETE ", "REPLACE ", "CALL ", "XA ", "CREATE ", "ALTER ",
];

/// The statements of one function: a literal that begins with a verb, and what is
/// pushed after it.
fn statements(function: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for text in literals(function) {
        for part in text.split("; ").filter(|p| !p.is_empty()) {
            if SQL_VERBS
                .iter()
                .any(|verb| part.trim_start().starts_with(verb))
            {
                all.push(part.trim_start().to_owned());
            } else if text.starts_with([' ', '.', '(', ',', ')'])
                && let Some(last) = all.last_mut()
            {
                last.push_str("{}");
                last.push_str(part);
            }
        }
    }
    all
}

/// Functions of a file without its tests: name and text.
fn functions(code: &str) -> Vec<(String, String)> {
    let code = code.split("#[cfg(test)]").next().unwrap_or_default();
    let mut all: Vec<(String, String)> = vec![("-".into(), String::new())];
    for line in code.lines() {
        let words = line
            .trim_start()
            .trim_start_matches("pub(super) ")
            .trim_start_matches("pub(crate) ");
        let words = words
            .trim_start_matches("pub ")
            .trim_start_matches("async ");
        if let Some(rest) = words.strip_prefix("fn ") {
            let name = rest.chars().take_while(|c| is_word(*c as u8)).collect();
            all.push((name, String::new()));
        }
        if let Some((_, text)) = all.last_mut() {
            text.push_str(line);
            text.push('\n');
        }
    }
    all
}

#[test]
fn every_statement_of_the_core_keeps_to_one_shard() {
    let (mut wrong, mut seen, mut used) = (Vec::new(), 0, Vec::new());
    for part in ["core/src", "contract/src"] {
        for path in files(&top().join(part), "rs") {
            let name = path
                .strip_prefix(top())
                .unwrap_or(&path)
                .display()
                .to_string();
            let code = std::fs::read_to_string(&path).unwrap_or_default();
            for (function, text) in functions(&code) {
                // Only one row of the server's own, by its name: no table to shard.
                let own = name == "core/src/schema.rs" || name == "core/src/guard/lease.rs";
                let listed = UNSHARDED_READS
                    .iter()
                    .position(|(file, f, _)| *file == name && *f == function);
                for sql in statements(&text) {
                    seen += 1;
                    used.extend(listed.filter(|_| complaint(&sql, false).is_some()));
                    if let Some(why) = complaint(&sql, listed.is_some()).filter(|_| !own) {
                        wrong.push(format!("{name} {function}: {why}: {sql}"));
                    }
                }
            }
        }
    }
    assert!(seen > 40, "only {seen} statements were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (at, (file, function, _)) in UNSHARDED_READS.iter().enumerate() {
        assert!(
            used.contains(&at),
            "{file} {function} needs no exception any more"
        );
    }
}

/// Columns that lead each primary and unique key of a table; a complaint about any
/// other key than one that begins with `lead`.
fn key_complaints(table: &str, body: &str, lead: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for line in body.lines().map(str::trim) {
        let key = ["PRIMARY KEY", "UNIQUE KEY", "UNIQUE INDEX", "UNIQUE ("]
            .iter()
            .find_map(|k| line.find(k));
        let Some(at) = key else { continue };
        let first = match line[at..].split_once('(') {
            Some((_, columns)) => columns
                .split([',', ')'])
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned(),
            // `name TYPE … PRIMARY KEY`: the column itself.
            None => line
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned(),
        };
        if first != lead {
            wrong.push(format!(
                "{table}: a key leads with {first}, not with {lead}: {line}"
            ));
        }
    }
    wrong
}

fn migration_complaints(sql: &str) -> Vec<String> {
    let text: String = sql
        .lines()
        .map(|l| l.split("--").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n");
    let mut wrong: Vec<String> = forbidden(&text).into_iter().collect();
    let ddl = text.matches(';').count();
    if ddl != 1 {
        wrong.push(format!("{ddl} statements in one file: DDL is not atomic"));
    }
    let table = ["CREATE TABLE", "ALTER TABLE"]
        .iter()
        .find_map(|verb| table_after(&text, verb));
    let Some(table) = table else { return wrong };
    let lead = match OTHER_TABLES.iter().find(|(name, ..)| *name == table) {
        Some((_, lead, _)) => lead,
        None if TABLE_FAMILIES
            .iter()
            .any(|(family, _)| table.starts_with(family)) =>
        {
            return wrong;
        }
        None => "account_id",
    };
    wrong.extend(key_complaints(&table, &text, lead));
    wrong
}

#[test]
fn every_table_of_the_money_path_leads_its_keys_with_the_account() {
    let mut tables: BTreeMap<String, bool> = BTreeMap::new();
    for path in files(&top().join("migrations"), "sql") {
        let sql = std::fs::read_to_string(&path).unwrap_or_default();
        let wrong = migration_complaints(&sql);
        assert!(wrong.is_empty(), "{}: {}", path.display(), wrong.join("; "));
        tables.extend(table_after(&sql, "CREATE TABLE").map(|table| (table, true)));
        tables.extend(table_after(&sql, "DROP TABLE").map(|table| (table, false)));
    }
    for table in TABLES_BY_ACCOUNT {
        assert!(tables.contains_key(table), "no migration makes {table}");
    }
    // Made once and dropped since.
    let gone = ["contradiction"];
    for table in tables.keys().filter(|t| !gone.contains(&t.as_str())) {
        let known = TABLES_BY_ACCOUNT.contains(&table.as_str()) || is_known(table);
        assert!(known, "table {table}: say in this test how it is sharded");
    }
}

#[test]
fn the_checker_finds_what_it_is_there_for() {
    let bad = [
        "SELECT a FROM {}.balance WHERE currency=? FOR UPDATE",
        "UPDATE {}.balance SET available=0 WHERE currency='account_id'",
        "UPDATE orders SET account_id=? WHERE account_id=?",
        "DELETE FROM booking_intent WHERE order_id IN {x}",
        "SELECT state FROM orders WHERE biz_no=?",
        "INSERT INTO entry VALUES (1)",
        "INSERT INTO {}.entry SELECT a FROM b",
        "INSERT INTO booking_result (account_id) VALUES (1) ON DUPLICATE KEY UPDATE account_id=VALUES(account_id)",
        "REPLACE INTO booking_result (account_id) VALUES (1)",
        "DELETE FROM outbox WHERE account_id=? RETURNING tx_id",
        "SELECT a FROM orders WHERE account_id=? FOR UPDATE SKIP LOCKED",
        "SELECT a FROM orders WHERE account_id=? LOCK IN SHARE MODE",
        "SELECT a FROM orders JOIN attempt USING (account_id) WHERE account_id=?",
        "SELECT a FROM orders o, attempt a WHERE account_id=?",
        "SELECT a FROM orders WHERE account_id IN (SELECT account_id FROM balance)",
        "SELECT ROW_NUMBER() OVER (ORDER BY a) FROM orders WHERE account_id=?",
        "SELECT LAST_INSERT_ID()",
        "CALL pay()",
        "SELECT a FROM surprise WHERE account_id=?",
    ];
    for sql in bad {
        assert!(complaint(sql, false).is_some(), "not found: {sql}");
    }
    let good = [
        "SELECT {COLUMNS} FROM {}.balance WHERE account_id IN {} ORDER BY account_id,currency FOR UPDATE",
        "SELECT a,b FROM booking_intent WHERE (account_id,posting_id) IN {} AND due_us<=? ORDER BY account_id,posting_id FOR UPDATE",
        "INSERT INTO cases (account_id,order_id) VALUES (1,2) ON DUPLICATE KEY UPDATE opened_us=opened_us",
        "DELETE FROM outbox WHERE account_id='it''s' AND tx_id=?",
        "SELECT a FROM {}.breaker WHERE state<>'closed'",
    ];
    for sql in good {
        assert_eq!(complaint(sql, false), None, "{sql}");
    }
    assert_eq!(
        complaint("SELECT a FROM orders WHERE order_id=?", true),
        None
    );
    assert!(
        complaint("SELECT a FROM orders WHERE order_id=? FOR UPDATE", true).is_some(),
        "a lock is no look-up"
    );

    let code = r#"fn a() { let x = "SELECT a \
        FROM orders WHERE account_id=?"; sql.push_str("INSERT INTO "); sql.push_str(&schemas.ledger); sql.push_str(".entry (a) VALUES "); }"#;
    let found = statements(code);
    assert_eq!(
        found,
        [
            "SELECT a FROM orders WHERE account_id=?",
            "INSERT INTO {}.entry (a) VALUES "
        ]
    );
    assert!(found.iter().all(|sql| complaint(sql, false).is_none()));

    let table = |keys: &str| {
        format!("CREATE TABLE orders (\n  account_id INT,\n  id INT,\n  {keys}\n) ENGINE=InnoDB;")
    };
    assert!(migration_complaints(&table("PRIMARY KEY (account_id, id)")).is_empty());
    for keys in [
        "PRIMARY KEY (id)",
        "PRIMARY KEY (account_id), UNIQUE KEY u (id)",
        "id2 BIGINT AUTO_INCREMENT,\n PRIMARY KEY (account_id)",
        "PRIMARY KEY (account_id), FOREIGN KEY (id) REFERENCES x (id)",
    ] {
        let two_lines = keys.replace(", UNIQUE", ",\n UNIQUE");
        assert!(
            !migration_complaints(&table(&two_lines)).is_empty(),
            "not found: {keys}"
        );
    }
    assert!(
        !migration_complaints("CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW SET @a=1;")
            .is_empty()
    );
}
