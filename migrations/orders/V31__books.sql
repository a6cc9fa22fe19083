-- Which balances and which ledger these orders were booked in: the id that each
-- keeps in its `place`. A core that is pointed at others refuses to start.
CREATE TABLE books (
  service  VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  place_id CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  noted_us BIGINT      NOT NULL
) ENGINE=InnoDB;
