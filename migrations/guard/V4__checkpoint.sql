-- This table holds how far each source was evaluated.
CREATE TABLE checkpoint (
  source      VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  position    VARCHAR(400) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- From where windows must be rebuilt.
  replay_from VARCHAR(400) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  rules_hash  CHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  updated_us  BIGINT       NOT NULL
) ENGINE=InnoDB;
