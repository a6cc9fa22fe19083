-- This table holds the fence token of each core. A core raises its token. Once the
-- sidecar has evaluated everything up to that commit it says so. No clocks and no
-- positions to compare.
CREATE TABLE fence_token (
  instance   VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  token      BIGINT      NOT NULL,
  updated_us BIGINT      NOT NULL
) ENGINE=InnoDB;
