-- The history of an order: one row per move of its state, numbered by the version
-- that it led to. Version 1, the acceptance, is the order's own row. Append-only.
CREATE TABLE order_move (
  account_id VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  order_id   CHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  version    INT          NOT NULL,
  event      VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  from_state VARCHAR(12)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  to_state   VARCHAR(12)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  channel    VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NULL,
  code       VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NULL,
  at_us      BIGINT       NOT NULL,
  PRIMARY KEY (account_id, order_id, version)
) ENGINE=InnoDB;
