-- This table holds what each book of an account held at the end of a day: a statement adds
-- up one day of entries, not all of history. Filled off the hot path from the entries,
-- after they were compared with the balance; a day without entries has no row.
CREATE TABLE daily_balance (
  account_id VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  currency   CHAR(3)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  book       VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- The end of the day (UTC): entries before it are counted.
  until_us   BIGINT        NOT NULL,
  held       DECIMAL(24,4) NOT NULL,
  PRIMARY KEY (account_id, currency, book, until_us)
) ENGINE=InnoDB;
