-- This table holds the order that each idempotent request made. What must be unique
-- beyond an account has a table of its own, keyed by it. On one server the row is
-- written in the accept transaction.
CREATE TABLE idempotency (
  client          VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  idempotency_key VARCHAR(80) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- The hash of the request: another one under the same key is a conflict.
  request_hash    CHAR(64)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  account_id      VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  order_id        CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  created_us      BIGINT      NOT NULL,
  PRIMARY KEY (client, idempotency_key)
) ENGINE=InnoDB;
