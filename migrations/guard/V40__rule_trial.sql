-- This table holds for how long each version of a rule was evaluated in shadow, and what it
-- missed: shadow is evaluated when there is time for it. Promotion asks for both.
CREATE TABLE rule_trial (
  rule         VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  rule_hash    CHAR(16)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  since_us     BIGINT      NOT NULL,
  -- Evaluated up to here; findings up to here are in `verdict`.
  until_us     BIGINT      NOT NULL,
  -- Without the gaps.
  evaluated_us BIGINT      NOT NULL,
  gaps         BIGINT      NOT NULL,
  -- The last gap; without an end while it lasts.
  gap_from_us  BIGINT      NULL,
  gap_until_us BIGINT      NULL,
  gap_cause    VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NULL,
  PRIMARY KEY (rule, rule_hash),
  KEY by_time (until_us)
) ENGINE=InnoDB;
