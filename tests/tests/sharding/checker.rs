//! The checker itself, shown what it must find and what it must leave alone.

use crate::sharding::migrations::migration_complaints;
use crate::sharding::sources::statements;
use crate::sharding::sql_checks::complaint;

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
    statements_are_joined();
    keys_are_looked_at();
}

fn statements_are_joined() {
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
}

fn keys_are_looked_at() {
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
