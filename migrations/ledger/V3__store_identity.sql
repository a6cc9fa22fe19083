-- This table holds the identity of this store: one row, made once, copied with the data
-- when they move to another server.
CREATE TABLE store_identity (
  -- `this`.
  name     VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  store_id CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL
) ENGINE=InnoDB;
