use super::*;
use std::path::Path;

/// The columns of `CREATE TABLE` in a migration, with their kinds.
fn columns_of(sql: &str) -> Vec<(String, ColumnKind)> {
    let body = sql.split_once('(').map(|(_, b)| b).unwrap_or_default();
    let column = |line: &str| {
        let mut words = line
            .trim_start()
            .trim_start_matches("ADD COLUMN ")
            .split_whitespace();
        let (name, kind) = (words.next()?, words.next()?);
        let kind = match kind.split('(').next()? {
            "VARCHAR" | "CHAR" | "TEXT" | "MEDIUMTEXT" => Text,
            "SMALLINT" | "TINYINT" | "INT" | "BIGINT" => Int,
            "DECIMAL" => Money,
            _ => return None,
        };
        Some((name.to_owned(), kind))
    };
    body.lines().filter_map(column).collect()
}

#[test]
fn the_catalogue_is_what_the_migrations_create() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    // By schema: the outbox is in three of them, alike in each.
    let mut made: std::collections::BTreeMap<(String, String), Vec<(String, ColumnKind)>> =
        Default::default();
    for folder in std::fs::read_dir(root).unwrap() {
        let folder = folder.unwrap();
        let schema = folder.file_name().to_string_lossy().into_owned();
        let files = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|f| f.unwrap().path());
        let number = |p: &std::path::PathBuf| {
            let name = p.file_name().unwrap().to_string_lossy().into_owned();
            name[1..]
                .split("__")
                .next()
                .unwrap()
                .parse::<u32>()
                .unwrap()
        };
        let mut files: Vec<_> = files.collect();
        files.sort_by_key(number);
        for file in files {
            let sql = std::fs::read_to_string(file).unwrap();
            let created = sql
                .split_once("CREATE TABLE ")
                .map(|(_, rest)| (rest, columns_of(rest)));
            if let Some((rest, columns)) = created {
                let name = rest.split_whitespace().next().unwrap().to_owned();
                made.insert((schema.clone(), name), columns);
                continue;
            }
            // An ALTER has no bracket of its own: its columns begin a line.
            let altered = sql.split_once("ALTER TABLE ").map(|(_, rest)| {
                let lines = rest.replace("ADD COLUMN ", "\nADD COLUMN ");
                (rest, columns_of(&format!("({lines}")))
            });
            let Some((rest, columns)) = altered else {
                continue;
            };
            let name = rest.split_whitespace().next().unwrap().to_owned();
            made.entry((schema.clone(), name))
                .or_default()
                .extend(columns);
        }
    }
    for known in &CATALOG_TABLES {
        let want: Vec<_> = known
            .columns
            .iter()
            .map(|(c, k)| ((*c).to_owned(), *k))
            .collect();
        let all = made.iter().filter(|((_, name), _)| name == known.name);
        let all: Vec<_> = all.map(|(_, columns)| columns).collect();
        assert!(!all.is_empty(), "{}", known.name);
        for columns in all {
            assert_eq!(columns, &want, "{}", known.name);
        }
    }
}

/// A signed column that rows don't have here would never be compared.
#[test]
fn every_signed_column_is_one_of_the_catalogue() {
    use sluice_contract::provenance::{EFFECT_TABLES, EffectColumnKind, effect_table};
    for table in &CATALOG_TABLES {
        let signed = effect_table(table.name).is_some();
        assert_eq!(table.guarded, signed, "{}", table.name);
    }
    for signed in EFFECT_TABLES {
        let table = &CATALOG_TABLES[find(signed.name).unwrap()];
        for column in signed.columns {
            let is_text = match column.kind {
                EffectColumnKind::Number | EffectColumnKind::OptionalNumber => false,
                EffectColumnKind::Text
                | EffectColumnKind::OptionalText
                | EffectColumnKind::TextIfKnown => true,
            };
            let kind = table.column(column.name).unwrap();
            assert_eq!(kind == Text, is_text, "{}.{}", signed.name, column.name);
        }
    }
}
