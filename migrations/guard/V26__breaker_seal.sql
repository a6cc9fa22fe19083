-- This table holds the seal of the breakers: a MAC over all that are open. The core
-- claims nothing while the seal does not fit them.
CREATE TABLE breaker_seal (
  name       VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  version    BIGINT      NOT NULL,
  seal       CHAR(64)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  updated_us BIGINT      NOT NULL
) ENGINE=InnoDB;
