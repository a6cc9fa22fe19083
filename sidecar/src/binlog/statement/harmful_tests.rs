use crate::binlog::statement::harmless_tests::is_harmless;

#[test]
fn what_touches_rows_or_is_not_understood_is_harmful() {
    let in_ledger = [
        "UPDATE entry SET amount=1",
        "UPDATE scratch SET x=1",
        "REPLACE INTO entry VALUES (1)",
        "LOAD DATA INFILE 'x' INTO TABLE entry",
        "SELECT pay_everybody()",
        "ANALYZE UPDATE entry SET amount=1",
        "ANALYZE FORMAT=JSON DELETE FROM entry",
        "EXPLAIN ANALYZE UPDATE entry SET amount=1",
        "SET STATEMENT max_statement_time=9 FOR TRUNCATE entry",
        "CREATE OR REPLACE TABLE entry (id INT)",
        "CREATE TABLE x SELECT 1",
        "CREATE OR REPLACE DATABASE t_ledger",
        "DROP DATABASE t_ledger",
        "DROP SCHEMA IF EXISTS `T_LEDGER`",
        "DROP TABLE entry",
        "DROP TABLE scratch, t_ledger.`Entry`",
        "DROP TABLE /*!50000 entry, */ x",
        "DROP TABLE /*M!999999 entry, */ x",
        "DROP /*!99999 TEMPORARY */ TABLE entry",
        "DROP TABLE scratch everything",
        "/*!50000 TRUNCATE entry */",
        "TRUNCATE t_orders.attempt",
        "RENAME TABLE entry TO x",
        "RENAME TABLE scratch TO a, x TO entry",
        "ALTER TABLE entry RENAME TO x",
        "ALTER TABLE entry RENAME AS x",
        "ALTER TABLE entry RENAME COLUMN amount TO x",
        "ALTER TABLE entry DROP PARTITION p0",
        "ALTER TABLE entry DROP amount",
        "ALTER TABLE entry DROP `index`",
        "ALTER TABLE entry ADD x INT, DROP COLUMN amount",
        "ALTER TABLE entry MODIFY amount INT",
        "ALTER TABLE entry CHANGE amount amount INT",
        "ALTER TABLE entry CONVERT TO CHARACTER SET latin1",
        "ALTER TABLE entry ENGINE=BLACKHOLE",
        "ALTER TABLE entry FORCE ENGINE 'MEMORY'",
        "ALTER TABLE entry TRUNCATE PARTITION p0",
        "ALTER TABLE entry EXCHANGE PARTITION p0 WITH TABLE x",
        "ALTER TABLE entry DISCARD TABLESPACE",
        "ALTER TABLE entry SOMETHING NEW",
        "ALTER IGNORE TABLE entry ADD UNIQUE (ref)",
        "ALTER TABLE entry ADD FOREIGN KEY (account_id) REFERENCES a (id) ON DELETE CASCADE",
        "ALTER TABLE scratch RENAME TO entry",
        "ALTER TABLE scratch EXCHANGE PARTITION p WITH TABLE entry",
        "DROP TABLE 'entry",
    ];
    for text in in_ledger {
        assert!(!is_harmless("t_ledger", text), "{text}");
    }
    assert!(
        !is_harmless("other", "UPDATE `t_ledger`.x SET a=1")
            && !is_harmless("", "DROP TABLE t_ledger.entry")
    );
    assert!(
        !is_harmless("", "DROP TABLE entry, t_ledger.scratch"),
        "whose entry it is, is not known"
    );
    // Another schema, whose name only begins as ours does.
    assert!(is_harmless("other", "UPDATE t_ledger_archive.x SET a=1"));
}

#[test]
fn what_lets_a_later_change_pass_is_harmful() {
    let in_ledger = [
        "CREATE TRIGGER x BEFORE UPDATE ON entry FOR EACH ROW SET NEW.kind='adjust'",
        "/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`%`*/ /*!50003 TRIGGER x BEFORE UPDATE ON entry FOR EACH ROW BEGIN DELETE FROM y; END */",
        "DROP INDEX i ON entry",
        "DROP INDEX IF EXISTS `one_live` ON t_orders.attempt",
        "DROP INDEX i",
        "ALTER TABLE entry DROP INDEX i",
        "ALTER TABLE entry DROP KEY i, ADD INDEX j (ref)",
        "ALTER TABLE entry DROP PRIMARY KEY",
        "ALTER TABLE entry DROP CONSTRAINT c",
        "ALTER TABLE entry DROP FOREIGN KEY f",
        "RENAME TABLE entry TO entry_old, entry_new TO entry",
        "RENAME TABLE t_guard.lease TO t_guard.lease2",
    ];
    for text in in_ledger {
        assert!(!is_harmless("t_ledger", text), "{text}");
    }
}
