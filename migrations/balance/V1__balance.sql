-- balance = available + reserved, and available >= 0, in every transaction.
CREATE TABLE balance (
  account_id VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  currency   CHAR(3)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  balance    DECIMAL(20,4) NOT NULL,
  available  DECIMAL(20,4) NOT NULL,
  reserved   DECIMAL(20,4) NOT NULL,
  version    BIGINT        NOT NULL,
  updated_us BIGINT        NOT NULL DEFAULT 0,
  PRIMARY KEY (account_id, currency)
) ENGINE=InnoDB;
