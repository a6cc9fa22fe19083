-- The identity of these books: one row, made once, copied with the data when they
-- move to another server.
CREATE TABLE place (
  name     VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  place_id CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL
) ENGINE=InnoDB;
