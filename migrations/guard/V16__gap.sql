-- This table holds stretches of a source that were never read, from a position that was
-- lost to the one from which reading went on. A row is written once the data at rest was
-- audited. Append-only.
CREATE TABLE gap (
  source        VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  found_us      BIGINT       NOT NULL,
  -- Empty at the first start.
  from_position VARCHAR(400) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  to_position   VARCHAR(400) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  closed_us     BIGINT       NOT NULL,
  -- How many findings stood then.
  verdicts      BIGINT       NOT NULL,
  PRIMARY KEY (source, found_us)
) ENGINE=InnoDB;
