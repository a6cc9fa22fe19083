-- Runs over all data at rest that were completed: when, why (schedule, demand, gap),
-- the binlog position that every reading was at or after, and what was found.
CREATE TABLE snapshot_run (
  run_id       CHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  reason       VARCHAR(12)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  position     VARCHAR(400) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  accounts     BIGINT       NOT NULL,
  row_count    BIGINT       NOT NULL,
  suspects     BIGINT       NOT NULL,
  standing     BIGINT       NOT NULL,
  verdicts     BIGINT       NOT NULL,
  started_us   BIGINT       NOT NULL,
  completed_us BIGINT       NOT NULL,
  KEY by_time (completed_us)
) ENGINE=InnoDB;
