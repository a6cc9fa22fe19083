-- This table names the version of the rule set in force: one row, locked by whoever makes
-- the next one.
CREATE TABLE rule_active (
  name       VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  version    BIGINT     NOT NULL,
  updated_us BIGINT     NOT NULL
) ENGINE=InnoDB;
