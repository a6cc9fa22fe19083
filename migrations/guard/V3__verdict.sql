-- This table holds what rules found, and what a person needs to understand it without
-- the code. The id is derived from rule, position and key, so that the same change
-- evaluated again is the same verdict.
CREATE TABLE verdict (
  verdict_id  CHAR(32)      CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  rule        VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  rule_hash   CHAR(16)      CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  mode        VARCHAR(8)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  outcome     VARCHAR(12)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  position    VARCHAR(190)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  item        VARCHAR(190)  CHARACTER SET utf8mb4 NOT NULL,
  account_id  VARCHAR(64)   CHARACTER SET utf8mb4 NOT NULL,
  breaker     VARCHAR(64)   CHARACTER SET utf8mb4 NULL,
  message     VARCHAR(500)  CHARACTER SET utf8mb4 NOT NULL,
  found_us    BIGINT        NOT NULL,
  -- The version of the rule set that judged.
  set_version BIGINT        NOT NULL DEFAULT 0,
  amount      DECIMAL(20,4) NULL,
  -- What the rule read.
  detail      MEDIUMTEXT    CHARACTER SET utf8mb4 NULL,
  -- The suppression by which it opened no breaker.
  suppression CHAR(32)      CHARACTER SET ascii COLLATE ascii_bin NULL,
  -- How many breakers it moved.
  opened      INT           NOT NULL DEFAULT 0,
  KEY by_time (found_us),
  KEY by_account (account_id),
  KEY by_trip (rule, mode, outcome, opened, found_us)
) ENGINE=InnoDB;
