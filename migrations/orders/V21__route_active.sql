-- The version in force: one row. `epoch` grows with every activation.
CREATE TABLE route_active (
  name       VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  version    INT        NOT NULL,
  epoch      INT        NOT NULL,
  updated_us BIGINT     NOT NULL
) ENGINE=InnoDB;
