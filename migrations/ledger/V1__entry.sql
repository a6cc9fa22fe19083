-- This table holds the entries of the double-entry ledger. Append-only. The lines of a
-- posting balance per currency. Posting ids are derived (`<order>-reserve`,
-- `<order>-end`, `pay-<payment>`), so the primary key books each step once. by_time reads
-- the entries of an account in the order of time, page by page and for statements: the
-- cost of a page does not grow with history.
CREATE TABLE entry (
  account_id VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  posting_id VARCHAR(72)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  line       SMALLINT      NOT NULL,
  kind       VARCHAR(12)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- A sub-account of the account (available, reserved) or one of the platform
  -- (clearing.*), whose balance is the sum of its entries: no hot row.
  book       VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- D for debit, C for credit.
  side       CHAR(1)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  amount     DECIMAL(20,4) NOT NULL,
  currency   CHAR(3)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- The reference that the posting is booked for: the order or the payment.
  ref        VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  created_us BIGINT        NOT NULL,
  PRIMARY KEY (account_id, posting_id, line),
  KEY by_time (account_id, currency, created_us, posting_id, line)
) ENGINE=InnoDB;
