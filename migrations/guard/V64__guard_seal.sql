-- This table holds the mark from which on every row of the guard is signed: one row. Before
-- it unsigned rows are those of programs of before the signature; after it they are nobody's.
CREATE TABLE guard_seal (
  name           VARCHAR(8)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  version        BIGINT        NOT NULL,
  -- Of the first server's binlog; what was committed before it is not asked for a signature.
  position       VARCHAR(4000) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- YYYYMM: limit totals of this month and before it may be unsigned. Empty: none.
  unsigned_month VARCHAR(6)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  sealed_by      VARCHAR(64)   CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  sealed_us      BIGINT        NOT NULL,
  mac            CHAR(64)      CHARACTER SET ascii COLLATE ascii_bin NOT NULL
) ENGINE=InnoDB;
