-- This table holds the balances of an account, one row per currency. In every
-- transaction balance = available + reserved, and available >= 0.
CREATE TABLE balance (
  account_id            VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  currency              CHAR(3)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  balance               DECIMAL(20,4) NOT NULL,
  available             DECIMAL(20,4) NOT NULL,
  reserved              DECIMAL(20,4) NOT NULL,
  version               BIGINT        NOT NULL,
  updated_us            BIGINT        NOT NULL DEFAULT 0,
  -- The intermediate account of the merchant (中间户): captured payments that are not settled
  -- yet, and what refunds and settlements under way have reserved of them.
  intermediate          DECIMAL(20,4) NOT NULL DEFAULT 0,
  intermediate_reserved DECIMAL(20,4) NOT NULL DEFAULT 0,
  PRIMARY KEY (account_id, currency)
) ENGINE=InnoDB;
