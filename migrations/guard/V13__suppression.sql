-- This table holds findings that a person answers for: they are recorded and counted, but
-- open nothing.
CREATE TABLE suppression (
  suppression_id CHAR(32)      CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  rule           VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  finding_key    VARCHAR(190)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  reason         VARCHAR(400)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  author         VARCHAR(64)   CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  -- The most money that may pass in all, and what did.
  amount_cap     DECIMAL(20,4) NOT NULL,
  amount_used    DECIMAL(24,4) NOT NULL,
  hits           BIGINT        NOT NULL,
  created_us     BIGINT        NOT NULL,
  expires_us     BIGINT        NOT NULL,
  revoked_us     BIGINT        NULL,
  revoked_by     VARCHAR(64)   CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  KEY by_rule (rule, expires_us)
) ENGINE=InnoDB;
