-- This table holds what was last imported from the folder of rules, so that only an edit
-- counts: a text that a person took back, or a rule that was retired, does not return by
-- itself.
CREATE TABLE rule_import (
  rule        VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  text_hash   CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  imported_us BIGINT      NOT NULL
) ENGINE=InnoDB;
