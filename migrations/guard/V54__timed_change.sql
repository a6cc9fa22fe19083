-- This table holds what comes back by itself: a breaker that a rule past its budget opened
-- for a while, a rule that one person disarmed in an emergency.
CREATE TABLE timed_change (
  -- `breaker` or `mode`.
  kind     VARCHAR(8)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- The breaker's name, or the rule.
  subject  VARCHAR(96)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- The breaker's version, or the hash of the rule's text: another one is somebody else's.
  version  VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  until_us BIGINT       NOT NULL,
  made_by  VARCHAR(64)  CHARACTER SET utf8mb4 NOT NULL,
  reason   VARCHAR(400) CHARACTER SET utf8mb4 NOT NULL,
  PRIMARY KEY (kind, subject),
  KEY by_time (until_us)
) ENGINE=InnoDB;
