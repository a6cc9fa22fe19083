-- One row per outflow order. Keys lead with the account, so that an order and
-- its money live on one shard. Times are microseconds since 1970 UTC.
-- `due_us` is when somebody must look again; NULL once the order has ended, so
-- that the cost of looking does not grow with history.
CREATE TABLE orders (
  account_id     VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  order_id       CHAR(32)      CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  kind           VARCHAR(12)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'cash_out',
  client         VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  transaction_id VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  biz_no         VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NULL,
  user_id        VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NULL,
  to_account     VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  amount         DECIMAL(20,4) NOT NULL DEFAULT 0,
  currency       CHAR(3)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  state          VARCHAR(12)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  channel        VARCHAR(16)   CHARACTER SET ascii COLLATE ascii_bin NULL,
  serial_no      CHAR(32)      CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  trade_time     CHAR(14)      CHARACTER SET ascii COLLATE ascii_bin NULL,
  attempts       SMALLINT      NOT NULL DEFAULT 0,
  queries        SMALLINT      NOT NULL DEFAULT 0,
  result_code    VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NULL,
  version        INT           NOT NULL,
  claim_id       CHAR(32)      CHARACTER SET ascii COLLATE ascii_bin NULL,
  due_us         BIGINT        NULL,
  created_us     BIGINT        NOT NULL DEFAULT 0,
  updated_us     BIGINT        NOT NULL DEFAULT 0,
  PRIMARY KEY (account_id, order_id),
  KEY by_order (order_id)
) ENGINE=InnoDB;
