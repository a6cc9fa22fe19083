-- This table holds which rules a version of the set has, and how far the word of each
-- goes.
CREATE TABLE rule_member (
  version   BIGINT      NOT NULL,
  rule      VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- 1: it runs beside the armed version of its id.
  candidate TINYINT     NOT NULL,
  text_hash CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  mode      VARCHAR(8)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- 1: its budget took its arms away.
  demoted   TINYINT     NOT NULL,
  since_us  BIGINT      NOT NULL,
  PRIMARY KEY (version, rule, candidate)
) ENGINE=InnoDB;
