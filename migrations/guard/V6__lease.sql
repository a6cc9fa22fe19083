-- This table holds who does the work that one instance does at a time (outbox relay,
-- sidecar). A lease is taken by a conditional UPDATE.
CREATE TABLE lease (
  name       VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  owner      VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  epoch      BIGINT      NOT NULL,
  expires_us BIGINT      NOT NULL
) ENGINE=InnoDB;
