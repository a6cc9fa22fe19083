-- Which rules a version holds, and how far the word of each goes. A candidate runs
-- beside the armed version of its id. `demoted`: its budget took its arms away.
CREATE TABLE rule_member (
  version   BIGINT      NOT NULL,
  rule      VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  candidate TINYINT     NOT NULL,
  text_hash CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  mode      VARCHAR(8)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  demoted   TINYINT     NOT NULL,
  since_us  BIGINT      NOT NULL,
  PRIMARY KEY (version, rule, candidate)
) ENGINE=InnoDB;
