//! Every statement of the core names one account: it keeps to one shard.

use crate::sharding::sources::{files, functions, statements};
use crate::sharding::sql_checks::complaint;
use crate::sharding::tables::UNSHARDED_READS;
use sluice_tests::top;

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
                let own = name.starts_with("core/src/schema/") || name == "core/src/guard/lease.rs";
                let listed = UNSHARDED_READS
                    .iter()
                    .position(|(file, f, _)| *file == name && *f == function);
                for sql in statements(&text) {
                    // Two replicated tables that lie side by side on each shard.
                    let sql = match sql.contains("breaker_seal s LEFT JOIN {guard}.breaker b") {
                        true => sql.replace("LEFT JOIN", "BESIDE"),
                        false => sql,
                    };
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
