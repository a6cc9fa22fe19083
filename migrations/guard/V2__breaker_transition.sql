-- This table holds every transition of every breaker, who made it and why. Append-only.
CREATE TABLE breaker_transition (
  point      VARCHAR(12)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  scope      VARCHAR(12)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  scope_key  VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  version    INT          NOT NULL,
  state      VARCHAR(12)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  verdict_id CHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NULL,
  reason     VARCHAR(400) CHARACTER SET utf8mb4 NOT NULL,
  changed_by VARCHAR(64)  CHARACTER SET utf8mb4 NOT NULL,
  changed_us BIGINT       NOT NULL,
  PRIMARY KEY (point, scope, scope_key, version)
) ENGINE=InnoDB;
