-- What the last snapshots found wrong and is still so. `standing_id` is derived from
-- rule, mode, account and item; the verdict's id from it and from where it was first
-- seen. A row goes once a complete run does not find it any more: should the same
-- come again, it is a new verdict.
CREATE TABLE snapshot_standing (
  standing_id CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  rule        VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  verdict_id  CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  since_us    BIGINT      NOT NULL
) ENGINE=InnoDB;
