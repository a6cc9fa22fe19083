-- This table holds what one person proposed and a second one must approve before it
-- happens.
CREATE TABLE rule_proposal (
  rule        VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  rule_hash   CHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- The mode that the rule is promoted to, or `retire`.
  step        VARCHAR(8)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  proposed_by VARCHAR(64)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  reason      VARCHAR(400) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  created_us  BIGINT       NOT NULL,
  expires_us  BIGINT       NOT NULL
) ENGINE=InnoDB;
