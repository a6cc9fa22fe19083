-- Append-only double entry. A posting's lines balance per currency. Posting ids
-- are derived (`<order>-reserve`, `<order>-end`, `pay-<payment>`), so the primary
-- key books each step once. `book` is the account's own sub-account (available,
-- reserved) or one of the platform's (clearing.*), whose balance is the sum of
-- its entries: no hot row.
CREATE TABLE entry (
  account_id VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  posting_id VARCHAR(72)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  line       SMALLINT      NOT NULL,
  kind       VARCHAR(12)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  book       VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  side       CHAR(1)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  amount     DECIMAL(20,4) NOT NULL,
  currency   CHAR(3)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  ref        VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  created_us BIGINT        NOT NULL,
  PRIMARY KEY (account_id, posting_id, line)
) ENGINE=InnoDB;
