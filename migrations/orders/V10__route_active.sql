-- This table names the routing version in force: one row.
CREATE TABLE route_active (
  name       VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  version    INT        NOT NULL,
  -- Grows with every activation.
  epoch      INT        NOT NULL,
  updated_us BIGINT     NOT NULL
) ENGINE=InnoDB;
