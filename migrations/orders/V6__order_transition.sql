-- This table holds the history of an order: one row per transition of its state,
-- numbered by the version that it led to. Version 1, the acceptance, is the row of the
-- order itself. Append-only.
CREATE TABLE order_transition (
  account_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  order_id   CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  version    INT         NOT NULL,
  event      VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  from_state VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  to_state   VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  channel    VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NULL,
  code       VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
  at_us      BIGINT      NOT NULL,
  PRIMARY KEY (account_id, order_id, version)
) ENGINE=InnoDB;
