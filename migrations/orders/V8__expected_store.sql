-- This table names the stores of balance and ledger that these orders were booked in. A
-- core that is pointed at others refuses to start.
CREATE TABLE expected_store (
  -- `balance` or `ledger`.
  service       VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  -- The id that the schema of the service keeps in its `store_identity`.
  store_id      CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  first_seen_us BIGINT      NOT NULL
) ENGINE=InnoDB;
