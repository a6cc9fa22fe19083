-- This table holds one row per transaction of the core: its events for Kafka, and the
-- signature over all of its effects. Published rows are deleted.
CREATE TABLE outbox (
  -- The first account of the batch: a batch never leaves its shard.
  account_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  tx_id      CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  signature  CHAR(64)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- JSON.
  events     MEDIUMTEXT  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  created_us BIGINT      NOT NULL,
  PRIMARY KEY (account_id, tx_id),
  KEY by_tx (tx_id)
) ENGINE=InnoDB;
