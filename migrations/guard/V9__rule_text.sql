-- This table holds every text that a rule ever had, with its cases: what a verdict was
-- decided by can be read years later. Append-only.
CREATE TABLE rule_text (
  text_hash CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  rule      VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  rule_hash CHAR(16)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  body      MEDIUMTEXT  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  cases     MEDIUMTEXT  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  KEY by_rule (rule, rule_hash)
) ENGINE=InnoDB;
