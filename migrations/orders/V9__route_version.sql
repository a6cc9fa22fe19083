-- This table holds the versions of the routing configuration. A version is never
-- changed: route_active names the one in force.
CREATE TABLE route_version (
  version    INT          NOT NULL PRIMARY KEY,
  author     VARCHAR(64)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  reason     VARCHAR(400) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  -- Over the whole content, so that rows changed by hand are noticed when they are loaded.
  hash       CHAR(64)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- What becomes of an order that no channel takes: `wait` or `fail`.
  no_route   VARCHAR(8)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  created_us BIGINT       NOT NULL
) ENGINE=InnoDB;
