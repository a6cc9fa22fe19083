-- This table holds which routing version was put in force when, by whom and why.
-- Append-only.
CREATE TABLE route_activation (
  epoch        INT          NOT NULL PRIMARY KEY,
  version      INT          NOT NULL,
  previous     INT          NOT NULL,
  author       VARCHAR(64)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  reason       VARCHAR(400) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  activated_us BIGINT       NOT NULL
) ENGINE=InnoDB;
