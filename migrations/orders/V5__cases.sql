-- What a person must look at: a channel's word that can't be true together with
-- what we know, an order asked about to its bound, a result that its upstream never
-- confirmed. A repeat of the same case is the same row.
CREATE TABLE cases (
  account_id VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  order_id   CHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  kind       VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  detail     VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  state      VARCHAR(8)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  opened_us  BIGINT       NOT NULL,
  PRIMARY KEY (account_id, order_id, kind, detail),
  KEY by_state (state, opened_us)
) ENGINE=InnoDB;
