-- Routing configurations. A version is never changed; what is in force is named
-- by route_active. `hash` is over the whole content, so that rows changed by hand
-- are noticed when they are loaded.
CREATE TABLE route_version (
  version    INT          NOT NULL PRIMARY KEY,
  author     VARCHAR(64)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  reason     VARCHAR(400) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  hash       CHAR(64)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  no_route   VARCHAR(8)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  created_us BIGINT       NOT NULL
) ENGINE=InnoDB;
