-- Work that one instance does at a time (relay, sidecar), by conditional UPDATE.
CREATE TABLE lease (
  name     VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  owner    VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  epoch    BIGINT      NOT NULL,
  until_us BIGINT      NOT NULL
) ENGINE=InnoDB;
