-- One row per captured payment: what of it was refunded and settled, or is about
-- to be. refunded + settled <= captured, in every transaction.
CREATE TABLE capture (
  account_id VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  payment_no VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  currency   CHAR(3)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  captured   DECIMAL(20,4) NOT NULL,
  refunded   DECIMAL(20,4) NOT NULL,
  settled    DECIMAL(20,4) NOT NULL,
  version    BIGINT        NOT NULL,
  updated_us BIGINT        NOT NULL,
  PRIMARY KEY (account_id, payment_no)
) ENGINE=InnoDB;
