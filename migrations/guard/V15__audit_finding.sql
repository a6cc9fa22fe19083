-- This table holds what the last audits found wrong and is still so. A row goes once a
-- complete run does not find it any more: should the same come again, it is a new
-- verdict.
CREATE TABLE audit_finding (
  -- Derived from rule, mode, account and item. The id of the verdict is derived from it and
  -- from where it was first seen.
  finding_id CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  rule       VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  verdict_id CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  since_us   BIGINT      NOT NULL
) ENGINE=InnoDB;
