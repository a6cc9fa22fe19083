//! Every table of the money path leads its keys with the account.

use crate::sharding::sources::files;
use crate::sharding::sql_checks::{forbidden, is_known, table_after};
use crate::sharding::tables::{OTHER_TABLES, TABLE_FAMILIES, TABLES_BY_ACCOUNT};
use sluice_tests::top;
use std::collections::BTreeMap;

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

pub(super) fn migration_complaints(sql: &str) -> Vec<String> {
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
