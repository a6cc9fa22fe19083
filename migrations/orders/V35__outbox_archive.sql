-- This table holds outbox rows that left the hot path unpublished: aged out while no
-- broker is configured, or set aside because they can't be published. Rows with a reason
-- wait for a person; the others go with retention.
CREATE TABLE outbox_archive (
  account_id  VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  tx_id       CHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- JSON, unless that is what is wrong with it.
  events      MEDIUMTEXT   CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  -- Why it can't be published. NULL: nobody wanted it.
  reason      VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  created_us  BIGINT       NOT NULL,
  archived_us BIGINT       NOT NULL,
  PRIMARY KEY (account_id, tx_id),
  KEY by_age (archived_us, reason)
) ENGINE=InnoDB;
