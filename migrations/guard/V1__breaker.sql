-- This table holds the breakers that are or were open. The core reads them in the
-- transaction of the claim.
CREATE TABLE breaker (
  point      VARCHAR(12)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  scope      VARCHAR(12)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  scope_key  VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  state      VARCHAR(12)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  verdict_id CHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NULL,
  reason     VARCHAR(400) CHARACTER SET utf8mb4 NOT NULL,
  changed_by VARCHAR(64)  CHARACTER SET utf8mb4 NOT NULL,
  version    INT          NOT NULL,
  updated_us BIGINT       NOT NULL,
  PRIMARY KEY (point, scope, scope_key),
  KEY by_state (point, state)
) ENGINE=InnoDB;
