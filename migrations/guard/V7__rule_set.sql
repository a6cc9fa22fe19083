-- This table holds the versions of the rule set, the newest in force. Append-only:
-- taking one back makes a new version with the old content.
CREATE TABLE rule_set (
  version    BIGINT       NOT NULL PRIMARY KEY,
  hash       CHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- The version whose content this one has again.
  content_of BIGINT       NOT NULL,
  created_by VARCHAR(64)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  reason     VARCHAR(400) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  created_us BIGINT       NOT NULL
) ENGINE=InnoDB;
