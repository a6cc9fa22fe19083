-- Stretches of a source that were never read, from a position that was lost (empty at
-- the first start) to the one from which reading went on. Written once the data at
-- rest was checked; `verdicts` is how many differences stood then. Append-only.
CREATE TABLE gap (
  source        VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  found_us      BIGINT       NOT NULL,
  from_position VARCHAR(400) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  to_position   VARCHAR(400) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  closed_us     BIGINT       NOT NULL,
  verdicts      BIGINT       NOT NULL,
  PRIMARY KEY (source, found_us)
) ENGINE=InnoDB;
