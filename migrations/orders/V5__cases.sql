-- This table holds what a person must look at: a word of a channel that cannot be true
-- together with what we know, an order asked about to its bound, a result that its
-- upstream never acknowledged. A repeat of the same case is the same row.
CREATE TABLE cases (
  -- `-` if no account is known.
  account_id VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- The order, or the serial number that nobody knows.
  order_id   CHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  kind       VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  detail     VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  state      VARCHAR(8)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  opened_us  BIGINT       NOT NULL,
  closed_us  BIGINT       NULL,
  -- `channel`, `upstream` or `core` if no person had to close it.
  closed_by  VARCHAR(64)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  -- The note of the person who closed it.
  note       VARCHAR(400) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  PRIMARY KEY (account_id, order_id, kind, detail),
  KEY by_state (state, opened_us)
) ENGINE=InnoDB;
