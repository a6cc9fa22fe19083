-- A channel's word that can't be true together with what we know (failed after
-- success, another amount): a person's case, never an overwrite.
CREATE TABLE contradiction (
  account_id VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  order_id   CHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  detail     VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  seen_us    BIGINT       NOT NULL,
  PRIMARY KEY (account_id, order_id, detail)
) ENGINE=InnoDB;
