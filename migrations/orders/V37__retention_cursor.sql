-- This table holds the places that tasks of retention have come to, which page through
-- what no index orders by age.
CREATE TABLE retention_cursor (
  name  VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  place VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
) ENGINE=InnoDB;
