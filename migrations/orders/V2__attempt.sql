-- This table holds one row per try of an order at a channel. The UNIQUE key holds an
-- order to one live attempt, whatever the code does.
CREATE TABLE attempt (
  account_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  order_id   CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  attempt_no SMALLINT    NOT NULL,
  channel    VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  state      VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- 1 while the try may still pay, NULL after it.
  live       TINYINT     NULL,
  code       VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
  created_us BIGINT      NOT NULL DEFAULT 0,
  updated_us BIGINT      NOT NULL DEFAULT 0,
  PRIMARY KEY (account_id, order_id, attempt_no),
  UNIQUE KEY one_live (account_id, order_id, live)
) ENGINE=InnoDB;
