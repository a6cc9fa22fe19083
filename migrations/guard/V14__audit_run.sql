-- This table holds the complete audits, runs over all data at rest: when, why, and what
-- was found.
CREATE TABLE audit_run (
  run_id        CHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  -- `schedule`, `demand` or `gap`.
  reason        VARCHAR(12)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- The binlog position that every reading was at or after.
  position      VARCHAR(400) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  accounts      BIGINT       NOT NULL,
  row_count     BIGINT       NOT NULL,
  -- Accounts that were read a second time.
  suspects      BIGINT       NOT NULL,
  -- Findings that stand, of this run and earlier ones, and the new verdicts among them.
  open_findings BIGINT       NOT NULL,
  verdicts      BIGINT       NOT NULL,
  started_us    BIGINT       NOT NULL,
  completed_us  BIGINT       NOT NULL,
  KEY by_time (completed_us)
) ENGINE=InnoDB;
