-- This table holds the signature over each transaction of the core on this server, if it
-- has one of its own. A row is deleted in the transaction that writes it: the binlog
-- keeps it.
CREATE TABLE outbox (
  account_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  tx_id      CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  signature  CHAR(64)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  events     MEDIUMTEXT  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  created_us BIGINT      NOT NULL,
  PRIMARY KEY (account_id, tx_id)
) ENGINE=InnoDB;
